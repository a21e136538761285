"""Where a run's time goes: loading by phase, and steps by sampling, syncing, scoring and updating."""

from collections.abc import Sequence

from core.records.run import LoadPhase
from core.store.runs.history import History
from core.units import duration
from webui.components.stacked_bar import Segment, legend, stacked_bar
from webui.present import capitalised, esc

NONE_YET = '<p class="soft">Measured from the first phase on.</p>'
STEP_COLOURS = {
    "generate": "--series-1",
    "sync": "--series-5",
    "reward": "--series-3",
    "update": "--series-2",
    "evaluate": "--series-4",
}
LOAD_COLOURS = ("--series-4", "--series-5", "--series-3", "--series-2", "--series-1", "--series-6")
WORDS = {
    "generate": "Sampling",
    "sync": "Syncing the engine",
    "reward": "Scoring",
    "update": "Updating",
    "evaluate": "Asking fixed prompts",
}


def time_bars(phases: Sequence[LoadPhase], history: History) -> str:
    """Two bars: loading and training, each with its total in words."""
    loading = [
        Segment(capitalised(phase.name), phase.seconds, duration(phase.seconds), LOAD_COLOURS[place % 6])
        for place, phase in enumerate(phases)
    ]
    seconds = history.seconds
    training = [
        Segment(WORDS.get(name, capitalised(name)), total, duration(total), STEP_COLOURS.get(name, "--series-6"))
        for name, total in seconds.items()
    ]
    per_step = f"{duration(sum(seconds.values()) / history.count)} a step" if history.count else ""
    return _bar("Loading", loading, "") + _bar("Training", training, per_step) or NONE_YET


def _bar(title: str, segments: list[Segment], note: str) -> str:
    total = sum(segment.size for segment in segments)
    if not total:
        return ""
    return (
        f'<div class="phase"><div class="phase-head"><h4>{title}</h4><span>{duration(total)}'
        f"{f' · {esc(note)}' if note else ''}</span></div>"
        f"{stacked_bar(segments, total, title)}{legend(segments)}</div>"
    )
