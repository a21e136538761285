"""What every reward of the library has, so that a task file, a page and a test can all take it."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from core.tasks.template import Template, parse_template


class LibraryReward(BaseModel):
    """A way to score one completion, with its options as fields. Equal options, equal text and equal row: equal score.

    about            one line: what it measures
    lowest, highest  the range of its scores; more is better in all of them
    source           where it comes from
    packages         what it imports when it scores, beside Grouper's plain dependencies: module -> extra with it
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=())

    about: ClassVar[str]
    lowest: ClassVar[float] = 0.0
    highest: ClassVar[float] = 1.0
    source: ClassVar[str] = "Grouper"
    packages: ClassVar[Mapping[str, str]] = {}

    @property
    def span(self) -> tuple[float, float]:
        """The lowest and the highest score with these options."""
        return self.lowest, self.highest

    @property
    def needs(self) -> Mapping[str, str]:
        """Modules that it imports when it scores -> the extra of Grouper's that has them."""
        return self.packages

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a row that it reads."""
        return ()

    @property
    def looks_for(self) -> tuple[str, ...]:
        """What a completion must contain to score, such as "<answer>": the prompt had better ask for it."""
        return ()

    def score(self, text: str, fields: Mapping[str, Any]) -> float | None:
        """The score of a completion's text for a row; None: it does not apply to this row."""
        raise NotImplementedError


class Tagged(LibraryReward):
    """Rewards that read an answer between tags, or the whole completion."""

    inside: str = Field(
        "", pattern=r"^[A-Za-z][\w-]{0,31}$|^$", description="Tag that the answer stands in; empty: the whole text."
    )

    @property
    def looks_for(self) -> tuple[str, ...]:
        return (f"<{self.inside}>",) if self.inside else ()

    def given(self, text: str) -> str | None:
        """The answer: between the last pair of tags, or the whole text; None without the tags."""
        return between_tags(text, self.inside) if self.inside else text.strip()


class Expecting(Tagged):
    """Rewards that hold an answer against the row's."""

    expect: str = Field("{answer}", max_length=10_000, description="The right answer: a text over the row's columns.")

    @property
    def columns(self) -> tuple[str, ...]:
        return self.wanted.columns

    @property
    def wanted(self) -> Template:
        """Raises InvalidInput for a text whose braces are no columns."""
        return _parsed(self.expect)


class Measured(LibraryReward):
    """Rewards of how long a completion is. Tokens are not known to a reward of the library."""

    unit: Literal["characters", "words"] = Field("characters", description="What is counted.")

    def units(self, text: str) -> Sequence[str]:
        """The text's characters, or its words: what stands between spaces."""
        return text.split() if self.unit == "words" else text


@lru_cache(maxsize=256)
def _parsed(text: str) -> Template:
    return parse_template(text, "expect")


@lru_cache(maxsize=64)
def _pair(tag: str) -> re.Pattern[str]:
    return re.compile(rf"<{tag}>(.*?)</{tag}>", re.DOTALL)


def between_tags(text: str, tag: str) -> str | None:
    """The text between the last pair of these tags, or None without one."""
    found = _pair(tag).findall(text)
    return found[-1].strip() if found else None
