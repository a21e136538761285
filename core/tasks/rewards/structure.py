"""The form of a completion: tags, one after the other or one in the other; JSON."""

import json
import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Self

from pydantic import Field, model_validator

from core.errors import InvalidInput
from core.tasks.rewards.reward import LibraryReward, between_tags

TAG = r"[A-Za-z][\w-]{0,31}"


class Tags(LibraryReward):
    """1 for exactly one pair of tags, at the end."""

    about = "1 when there is exactly one pair of answer tags, at the end."
    tag: str = Field("answer", pattern=f"^{TAG}$", description="Name of the tag.")

    @property
    def looks_for(self) -> tuple[str, ...]:
        return (f"<{self.tag}>",)

    def score(self, text: str, fields: Mapping[str, Any]) -> float:
        marks = len(re.findall(rf"</?{self.tag}>", text))
        paired = between_tags(text, self.tag) is not None
        return float(marks == 2 and paired and text.strip().endswith(f"</{self.tag}>"))


class Xml(LibraryReward):
    """1 for these elements, each once, with something in each."""

    about = "1 when every tag stands there as one pair, in this order, with text in it."
    tags: tuple[str, ...] = Field(
        ("think", "answer"), min_length=1, max_length=16, description="Names of the tags, in order."
    )
    nested: bool = Field(False, description="Each stands inside the one before it, instead of after it.")
    alone: bool = Field(False, description="Nothing but space may stand before, between and after them.")

    @model_validator(mode="after")
    def _names_are_names(self) -> Self:
        for tag in self.tags:
            if not re.fullmatch(TAG, tag) or self.tags.count(tag) > 1:
                raise InvalidInput("tags", tag, "which is no name, or stands there twice", "write letters and digits")
        return self

    @property
    def looks_for(self) -> tuple[str, ...]:
        return tuple(f"<{tag}>" for tag in self.tags)

    def score(self, text: str, fields: Mapping[str, Any]) -> float:
        opened = [f"<{tag}>" for tag in self.tags]
        closed = [f"</{tag}>" for tag in self.tags]
        pairs = [mark for pair in zip(opened, closed, strict=True) for mark in pair]
        wanted = [*opened, *reversed(closed)] if self.nested else pairs
        names = "|".join(map(re.escape, self.tags))
        marks = [*re.finditer(rf"</?(?:{names})>", text)]
        if [mark[0] for mark in marks] != wanted:
            return 0.0
        inner = [text[a.end() : b.start()] for a, b in pairwise(marks) if _holds_text(a[0], b[0])]
        ends = [text[: marks[0].start()], text[marks[-1].end() :]]
        outer = [*ends, *(text[a.end() : b.start()] for a, b in pairwise(marks) if not _holds_text(a[0], b[0]))]
        return float(all(map(str.strip, inner)) and not (self.alone and any(map(str.strip, outer))))


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


def _holds_text(before: str, after: str) -> bool:
    """Whether what stands between two marks is the text of one element."""
    return not before.startswith("</") and after == f"</{before[1:]}"
