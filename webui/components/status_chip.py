"""A run's status as icon, word and colour: none of the three is needed to read it."""

from core.records.run import Run
from core.records.status import RunStatus

# Shapes on a 16 x 16 grid, drawn with the text's colour.
ICONS = {
    RunStatus.QUEUED: '<circle cx="8" cy="8" r="6"/><path d="M8 4.5V8l2.5 1.5"/>',
    RunStatus.STARTING: '<path d="M8 2a6 6 0 1 1-6 6"/>',
    RunStatus.RUNNING: '<path d="M5 3.5v9l7-4.5z" fill="currentColor"/>',
    RunStatus.STOPPING: '<path d="M6 4v8M10 4v8"/>',
    RunStatus.STOPPED: '<rect x="4" y="4" width="8" height="8" rx="1" fill="currentColor"/>',
    RunStatus.COMPLETED: '<path d="M3 8.5l3.5 3.5L13 4.5"/>',
    RunStatus.CANCELLED: '<circle cx="8" cy="8" r="6"/><path d="M4 12l8-8"/>',
    RunStatus.FAILED: '<path d="M4 4l8 8M12 4l-8 8"/>',
    RunStatus.LOST: '<path d="M5.5 6a2.5 2.5 0 1 1 3.5 2.3c-.7.3-1 .8-1 1.7"/><path d="M8 12.8v.2"/>',
}


UNREADABLE = '<path d="M2 8s2.2-4 6-4 6 4 6 4-2.2 4-6 4-6-4-6-4z"/><path d="M3 13L13 3"/>'


def run_chip(run: Run) -> str:
    """The run's status, or that this version cannot read the run."""
    if run.unreadable:
        return _chip("unreadable", UNREADABLE)
    return _chip(run.status.value, ICONS[run.status])


def _chip(name: str, icon: str) -> str:
    return (
        f'<span class="chip {name}"><svg viewBox="0 0 16 16" aria-hidden="true" fill="none" '
        'stroke="currentColor" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round">'
        f"{icon}</svg>{name.capitalize()}</span>"
    )
