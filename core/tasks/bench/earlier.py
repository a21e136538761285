"""Completions of earlier runs, scored again."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from core.tasks.sandbox.answers import Outcome
from core.tasks.task import Example


@dataclass(frozen=True)
class Earlier:
    """A completion that a run kept, with what each reward said of it then."""

    example: Example
    text: str
    scores: Mapping[str, float | None]


@dataclass(frozen=True)
class Change:
    """A reward on completions of earlier runs.

    count    completions of which it said something then; changed: those of which it says something else now
    before   mean of the scores then; after: mean now, both None without any
    """

    reward: str
    count: int
    changed: int
    before: float | None
    after: float | None

    @property
    def sentence(self) -> str:
        return (
            f"It says something else of {self.changed} of {self.count} completions of earlier runs: the mean was "
            f"{_written(self.before)} and is {_written(self.after)}."
        )


def changes(rewards: Sequence[str], earlier: Sequence[Earlier], now: Mapping[str, Sequence[Outcome]]) -> list[Change]:
    """now: reward -> an outcome for each of the completions, in their order."""
    return [_change(name, earlier, [outcome.value for outcome in now[name]]) for name in rewards]


def _change(name: str, earlier: Sequence[Earlier], now: Sequence[float | None]) -> Change:
    pairs = [(each.scores[name], value) for each, value in zip(earlier, now, strict=True) if name in each.scores]
    before = [old for old, _ in pairs if old is not None]
    after = [new for _, new in pairs if new is not None]
    changed = sum(not _same(old, new) for old, new in pairs)
    return Change(name, len(pairs), changed, fmean(before) if before else None, fmean(after) if after else None)


def _same(old: float | None, new: float | None) -> bool:
    if old is None or new is None:
        return old is new
    return math.isclose(old, new, rel_tol=1e-6, abs_tol=1e-6)


def _written(mean: float | None) -> str:
    return "no score" if mean is None else f"{mean:.2f}"
