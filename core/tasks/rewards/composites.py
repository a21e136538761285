"""Rewards made of others of the library."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, model_validator

from core.errors import InvalidInput
from core.tasks.rewards.reward import LibraryReward


@dataclass(frozen=True)
class Part:
    """A reward in another, with its weight there."""

    reward: LibraryReward
    weight: float


class Composite(LibraryReward):
    """Rewards that ask others. In a task file a part is a table of its own: {use = "exact", weight = 0.8, ...}."""

    model_config = ConfigDict(arbitrary_types_allowed=True)
    parts: Annotated[tuple[Part, ...], Field(min_length=1, max_length=16, description="Rewards: use and options each.")]

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for part in self.parts for name in part.reward.columns))

    @property
    def looks_for(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(mark for part in self.parts for mark in part.reward.looks_for))

    @property
    def needs(self) -> Mapping[str, str]:
        return {module: extra for part in self.parts for module, extra in part.reward.needs.items()}

    def applying(self, text: str, fields: Mapping[str, Any]) -> list[tuple[float, float]]:
        """(score, weight) of the parts that apply to this row."""
        asked = ((part.reward.score(text, fields), part.weight) for part in self.parts)
        return [(score, weight) for score, weight in asked if score is not None]


class Weighted(Composite):
    """The mean of the parts, by their weights. Parts that do not apply to a row are left out of it."""

    about = "The weighted mean of its parts."

    @model_validator(mode="after")
    def _something_counts(self) -> Self:
        if any(part.weight <= 0 for part in self.parts):
            raise InvalidInput("weight", min(part.weight for part in self.parts), "in a mean", "make it more than 0")
        return self

    @property
    def span(self) -> tuple[float, float]:
        whole = sum(part.weight for part in self.parts)
        ends = [[part.weight * part.reward.span[end] / whole for part in self.parts] for end in (0, 1)]
        return sum(ends[0]), sum(ends[1])

    def score(self, text: str, fields: Mapping[str, Any]) -> float | None:
        found = self.applying(text, fields)
        return sum(score * weight for score, weight in found) / sum(weight for _, weight in found) if found else None


class AllOf(Composite):
    """As good as the worst of the parts: with parts that are 0 or 1, 1 where all are. Weights do not count."""

    about = "The lowest score of its parts: all must be good."

    @property
    def span(self) -> tuple[float, float]:
        spans = [part.reward.span for part in self.parts]
        return min(low for low, _ in spans), min(high for _, high in spans)

    def score(self, text: str, fields: Mapping[str, Any]) -> float | None:
        return min((score for score, _ in self.applying(text, fields)), default=None)


class Gate(Composite):
    """The second part, where the first scores enough; else `closed`."""

    about = "The second part's score, and only where the first reaches a threshold."
    at_least: float = Field(1.0, description="What the first part must score.")
    closed: float = Field(0.0, ge=-1000, le=1000, description="The score where it does not.")

    @model_validator(mode="after")
    def _two_parts(self) -> Self:
        if len(self.parts) != 2:
            raise InvalidInput("parts", len(self.parts), "where a gate has two", "give the gate, then what it lets in")
        return self

    @property
    def span(self) -> tuple[float, float]:
        low, high = self.parts[1].reward.span
        return min(low, self.closed), max(high, self.closed)

    def score(self, text: str, fields: Mapping[str, Any]) -> float | None:
        """None where the gate, or what stands behind it, does not apply."""
        gate, behind = (part.reward for part in self.parts)
        opening = gate.score(text, fields)
        if opening is None:
            return None
        return behind.score(text, fields) if opening >= self.at_least else self.closed
