"""What became of a step's completions."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from core.tasks.sandbox.answers import Answer, Outcome


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
