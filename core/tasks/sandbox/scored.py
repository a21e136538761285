"""What became of a step's completions, and whether scoring still works."""

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from core.errors import RunError
from core.tasks.sandbox.answers import Answer, Outcome

STEPS, SHARE = 3, 0.5


@dataclass(frozen=True)
class Scored:
    """A step's scores.

    outcomes  function -> an Outcome for each completion, in the order of the frames
    extra     column -> a value for each completion that functions logged; None where they logged none
    metrics   name -> mean of what functions logged
    counts    "scored", "unscored" and "does not apply" -> how many outcomes
    causes    why there is no score -> how many outcomes, the most frequent first
    restarts  how often a child was started for this step
    seconds   what scoring took
    """

    outcomes: Mapping[str, tuple[Outcome, ...]]
    extra: Mapping[str, tuple[Any, ...]]
    metrics: Mapping[str, float]
    counts: Mapping[str, int]
    causes: Mapping[str, int]
    restarts: int
    seconds: float

    @property
    def unscored_share(self) -> float:
        total = sum(self.counts.values())
        return self.counts.get("unscored", 0) / total if total else 0.0

    def missing(self, function: str) -> list[str]:
        """Why this function gave no score, once for each completion that has none."""
        return [outcome.error for outcome in self.outcomes.get(function, ()) if outcome.error is not None]

    def lacks(self, function: str) -> bool:
        """Whether more than half of this function's scores are missing."""
        return len(self.missing(function)) > SHARE * len(self.outcomes.get(function, ()))


class Sheet:
    """Filled in call by call; what nobody filled in is unscored."""

    def __init__(self, functions: Sequence[str], count: int) -> None:
        self._count = count
        self._outcomes = {name: [Outcome(None, "was not asked about")] * count for name in functions}
        self._extra: dict[str, list[Any]] = {}
        self._metrics: dict[str, list[float]] = {}

    def take(self, function: str, rows: range, answer: Answer) -> None:
        """What the function said of these completions."""
        self._outcomes[function][rows.start : rows.stop] = answer.outcomes
        for name, values in answer.extra.items():
            self._extra.setdefault(name, [None] * self._count)[rows.start : rows.stop] = values
        for name, value in answer.metrics.items():
            self._metrics.setdefault(name, []).append(value)

    def miss(self, function: str, rows: range, reason: str) -> None:
        """These completions have no score of the function, for this reason."""
        self._outcomes[function][rows.start : rows.stop] = [Outcome(None, reason)] * len(rows)

    def finished(self, restarts: int, seconds: float) -> Scored:
        found = [outcome for outcomes in self._outcomes.values() for outcome in outcomes]
        return Scored(
            {name: tuple(outcomes) for name, outcomes in self._outcomes.items()},
            {name: tuple(values) for name, values in self._extra.items()},
            {name: fmean(values) for name, values in self._metrics.items()},
            Counter(outcome.kind for outcome in found),
            dict(Counter(outcome.error for outcome in found if outcome.error is not None).most_common()),
            restarts,
            seconds,
        )


class ScoringWatch:
    """Notices when a function's scores keep missing: a run must not go on learning from the few that are left."""

    def __init__(self) -> None:
        self._last: deque[Scored] = deque(maxlen=STEPS)

    def after(self, scored: Scored) -> RunError | None:
        """The reason to stop, once this is the third step in a row that lacks more than half of a function's scores."""
        self._last.append(scored)
        if len(self._last) < STEPS:
            return None
        failing = [name for name in scored.outcomes if all(step.lacks(name) for step in self._last)]
        return self._reason(failing) if failing else None

    def _reason(self, failing: Sequence[str]) -> RunError:
        """Of the function that fails most often; the others are named."""
        causes = {name: Counter(cause for step in self._last for cause in step.missing(name)) for name in failing}
        worst = max(failing, key=lambda name: causes[name].total())
        cause, times = causes[worst].most_common(1)[0]
        others = [name for name in failing if name != worst]
        too = f" So did {', '.join(others)}." if others else ""
        return RunError(
            "scoring",
            f"{worst} left more than half of its completions without a score in {STEPS} steps in a row, {times} of "
            f"them for this reason: {cause}.{too}",
            "Mend the function, try it on the task's page, and launch the run again.",
        )
