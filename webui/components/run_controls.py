"""What can be done with a run from its page: hold the page still, stop, resume, extend, clone, archive, delete.

A button that changes the run names its action; `webui.pages.run_actions` does it.
"""

from core.jobs.resume import can_resume
from core.records.run import Run
from core.records.status import RunStatus
from webui.components.runs_table import stop_word
from webui.present import clock, esc


def controls(run: Run, now: float, paused: bool, may_change: bool) -> str:
    """For a run at work when the page last heard of it and the way to stop; for one that has ended what comes next."""
    if run.status.is_final:
        return f'<div class="controls">{_afterwards(run)}</div>' if may_change else ""
    word = "Resume updates" if paused else "Pause updates"
    state = "Paused, last updated" if paused else "Updated"
    heard = clock(now, now, "ago").replace("<time ", "<time data-heard " if not paused else "<time ", 1)
    stop = (_stop_button(run) or _end_button(run)) if may_change else ""
    return (
        f'<div class="controls"><span>{state} {heard}</span>'
        f'<button type="button" class="small-button" data-trigger="pause">{word}</button>{_clone_link(run)}{stop}</div>'
    )


def _afterwards(run: Run) -> str:
    resume = _resume_button(run) if can_resume(run) else ""
    word, action = ("Restore", "restore") if run.archived_at else ("Archive", "archive")
    archive = _button(action, word, "In the archive a run is out of the way; nothing of it is lost")
    question = f"Delete {run.name} with its completions, adapter and log? This cannot be undone."
    delete = _button("delete", "Delete", more=f' data-confirm="{esc(question)}"')
    return f"{resume}{_extend_menu(run)}{_clone_link(run)}{archive}{delete}"


def _clone_link(run: Run) -> str:
    if run.unreadable:
        return ""
    return f'<a class="small-button" href="./?like={esc(run.id)}">Clone with changes</a>'


def _resume_button(run: Run) -> str:
    again = "Resume" if run.step else "Launch again"
    return _button("resume", again, "Goes on from the newest whole checkpoint")


def _extend_menu(run: Run) -> str:
    """More steps for a run that has some: a form that opens below its button."""
    if not run.step or run.unreadable:
        return ""
    more = run.config.steps * 2 if run.status is RunStatus.COMPLETED else run.config.steps + run.step
    return (
        '<details class="menu" data-key="extend"><summary class="small-button">Extend</summary><div data-form>'
        f'<label>Steps in all <input type="number" name="steps" min="{run.step + 1}" value="{more}"></label>'
        f"{_button('extend', 'Extend run')}</div></details>"
    )


def _stop_button(run: Run) -> str:
    word = stop_word(run, "Stop after this step", "Cancel run")
    return _button("stop", word, more=f' aria-label="{word}: {esc(run.name)}"') if word else ""


def _end_button(run: Run) -> str:
    """For a run that was asked to end and takes too long over it."""
    why = "Ends the worker at once; what was sampled since the last recorded step is lost"
    return _button("stop-now", "Stop now", why)


def _button(action: str, word: str, title: str = "", more: str = "") -> str:
    hint = f' title="{esc(title)}"' if title else ""
    return (
        f'<button type="button" class="small-button" data-trigger="apply" data-id="{action}"{hint}{more}>'
        f"{word}</button>"
    )
