"""Scores of one reward, or of the weighted total, by row and probe."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean

from core.tasks.bench.probes import PROBES
from core.tasks.sandbox.answers import Outcome


@dataclass(frozen=True)
class BenchSheet:
    """first, again: an Outcome for each row and probe, asked for twice; texts: what was scored.

    top  the best score that it can give, where that is known
    """

    name: str
    weight: float
    texts: Sequence[Mapping[str, str]]
    first: Sequence[Mapping[str, Outcome]]
    again: Sequence[Mapping[str, Outcome]]
    top: float | None = None

    @cached_property
    def rows(self) -> range:
        return range(len(self.texts))

    def value(self, row: int, probe: str) -> float | None:
        outcome = self.first[row].get(probe)
        return None if outcome is None else outcome.value

    def values(self, probe: str) -> list[tuple[int, float]]:
        """(row, score) of the rows in which this probe was scored."""
        found = ((row, self.value(row, probe)) for row in self.rows)
        return [(row, value) for row, value in found if value is not None]

    @cached_property
    def every(self) -> list[tuple[int, str, float]]:
        """(row, probe, score) of all that was scored."""
        return [(row, probe.name, value) for probe in PROBES for row, value in self.values(probe.name)]

    @cached_property
    def means(self) -> dict[str, float | None]:
        """Probe -> mean score, of the probes that were asked about."""
        asked = [probe.name for probe in PROBES if any(probe.name in texts for texts in self.texts)]
        scored = {name: [value for _, value in self.values(name)] for name in asked}
        return {name: fmean(values) if values else None for name, values in scored.items()}

    @cached_property
    def best(self) -> float:
        """The best score that it can give, else the best that it gave."""
        if self.top is not None:
            return self.top
        return max((value for _, _, value in self.every), default=0.0)

    def taken_for_right(self, probe: str, share: float) -> tuple[list[int], int]:
        """Rows in which a probe has at least this share of what gold has, of how many where gold scores at all."""
        golds = dict(self.values("gold"))
        asked = [(row, value) for row, value in self.values(probe) if golds.get(row, 0.0) > 0]
        return [row for row, value in asked if value >= share * golds[row]], len(asked)

    def below(self, probe: str, share: float) -> tuple[list[int], int]:
        """Rows in which a probe has less than this share of the best score, of how many."""
        asked = self.values(probe)
        return [row for row, value in asked if value < share * self.best], len(asked)
