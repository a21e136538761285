"""The form of a completion: tags, JSON."""

import json
import re
from collections.abc import Mapping
from typing import Any

from pydantic import Field

from core.tasks.rewards.reward import LibraryReward, between_tags


class Tags(LibraryReward):
    """1 for exactly one pair of tags, at the end."""

    about = "1 when there is exactly one pair of answer tags, at the end."
    tag: str = Field("answer", pattern=r"^[A-Za-z][\w-]{0,31}$", description="Name of the tag.")

    @property
    def looks_for(self) -> tuple[str, ...]:
        return (f"<{self.tag}>",)

    def score(self, text: str, fields: Mapping[str, Any]) -> float:
        marks = len(re.findall(rf"</?{self.tag}>", text))
        paired = between_tags(text, self.tag) is not None
        return float(marks == 2 and paired and text.strip().endswith(f"</{self.tag}>"))


class OfObject(LibraryReward):
    """Rewards of a JSON object that hold it against the one in a column."""

    column: str = Field("answer", min_length=1, description="Column with the object that is wanted.")

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def wanted(self, fields: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The row's object; None where the column holds none."""
        value = fields[self.column]
        if isinstance(value, str):
            value = json_object(value)
        return value if isinstance(value, Mapping) and value else None


class JsonObject(OfObject):
    """1 for one JSON object with the wanted keys."""

    about = "1 when the answer is one JSON object with the wanted keys."

    def score(self, text: str, fields: Mapping[str, Any]) -> float | None:
        """0.5 for an object with other keys."""
        given, wanted = json_object(text), self.wanted(fields)
        if wanted is None:
            return None
        if given is None:
            return 0.0
        return 1.0 if set(given) == set(wanted) else 0.5


class JsonFields(OfObject):
    """The share of wanted keys with the wanted value; numbers may be written as text."""

    about = "The share of the wanted fields with the right value."

    def score(self, text: str, fields: Mapping[str, Any]) -> float | None:
        given, wanted = json_object(text), self.wanted(fields)
        if wanted is None:
            return None
        if given is None:
            return 0.0
        right = sum(str(given.get(key)).strip().casefold() == str(value).casefold() for key, value in wanted.items())
        return right / len(wanted)


def json_object(text: str) -> dict[str, Any] | None:
    """The one JSON object that a text consists of, or None."""
    try:
        given = json.loads(text.strip())
    except (ValueError, RecursionError):
        return None
    return given if isinstance(given, dict) else None
