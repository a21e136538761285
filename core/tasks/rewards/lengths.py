"""How long a completion is, and how often it says the same."""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field, model_validator

from core.errors import InvalidInput
from core.tasks.rewards.reward import Measured


class Length(Measured):
    """1 for a length between two bounds; outside of them it falls to 0 in a straight line."""

    about = "1 when the completion's length lies between two bounds."
    at_least: int = Field(0, ge=0, description="The shortest that scores 1.")
    at_most: int = Field(ge=1, description="The longest that scores 1.")
    slack: int = Field(0, ge=0, description="How far outside the score falls to 0; 0: at once.")

    @model_validator(mode="after")
    def _bounds_are_in_order(self) -> Self:
        if self.at_least > self.at_most:
            raise InvalidInput("at_least", self.at_least, f"above at_most, {self.at_most}", "make it smaller")
        return self

    def score(self, text: str, fields: Mapping[str, Any]) -> float:
        length = len(self.units(text))
        outside = max(self.at_least - length, length - self.at_most, 0)
        return max(0.0, 1.0 - outside / (self.slack or 1)) if outside else 1.0


class Overlong(Measured):
    """0 for a completion that is short enough, falling to -1 at the limit and beyond it."""

    about = "0 up to a length, then falling to -1: long completions are punished softly."
    lowest, highest = -1.0, 0.0
    source = "DAPO, eq. 13 (Yu et al., 2025, arXiv 2503.14476)"
    limit: int = Field(ge=1, description="The length from which on the score is -1 (L_max).")
    cache: int = Field(ge=1, description="How far below the limit the punishment begins (L_cache).")

    @model_validator(mode="after")
    def _begins_above_nothing(self) -> Self:
        if self.cache > self.limit:
            raise InvalidInput("cache", self.cache, f"above limit, {self.limit}", "make it smaller")
        return self

    def score(self, text: str, fields: Mapping[str, Any]) -> float:
        free = self.limit - self.cache
        return -min(1.0, max(0, len(self.units(text)) - free) / self.cache)


class Repetition(Measured):
    """0 without repeated n-grams; with them their share, times the penalty."""

    about = "The share of n-grams that repeat others, as a penalty."
    lowest, highest = -1.0, 0.0
    source = "Demystifying Long Chain-of-Thought Reasoning, app. C.2 (Yeo et al., 2025, arXiv 2502.03373), as in TRL"
    ngram: int = Field(3, ge=1, le=100, description="How many units an n-gram has.")
    penalty: float = Field(-1.0, ge=-1000.0, le=0.0, description="The score that nothing but repetition would have.")

    @property
    def span(self) -> tuple[float, float]:
        return self.penalty, 0.0

    def score(self, text: str, fields: Mapping[str, Any]) -> float:
        units = self.units(text)
        count = len(units) - self.ngram + 1
        if count < 1:
            return 0.0
        different = {tuple(units[start : start + self.ngram]) for start in range(count)}
        return (1 - len(different) / count) * self.penalty if len(different) < count else 0.0
