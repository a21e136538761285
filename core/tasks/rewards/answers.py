"""An answer held against the right one."""

import re
import string
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from core.errors import InvalidInput
from core.tasks.rewards.reward import Expecting

ARTICLES = re.compile(r"\b(?:a|an|the)\b")
PUNCTUATION = str.maketrans("", "", string.punctuation)
NUMBER = re.compile(r"[-+]?\$?\d[\d,]{0,40}(?:\.\d{1,40})?")
# A letter that stands for a choice: "B", "(b)", "B.", "Answer: B".
CHOICE = re.compile(r"(?<![A-Za-z])\(?([A-Za-z])\)?(?![A-Za-z'])")


class Exact(Expecting):
    """1 for the very text, but for space around it."""

    about = "1 when the answer is the expected text, to the letter."

    def score(self, text: str, fields: Mapping[str, Any]) -> float:
        given = self.given(text)
        return float(given is not None and given == self.wanted.fill(fields).strip())


class Normalised(Expecting):
    """1 for the same words; case, punctuation, articles and spacing do not count."""

    about = "1 when the answer has the expected words; case, punctuation, articles and spacing do not count."
    source = "SQuAD's evaluation script (Rajpurkar et al., 2016)"

    def score(self, text: str, fields: Mapping[str, Any]) -> float:
        given, wanted = self.given(text), normalised(self.wanted.fill(fields))
        return float(given is not None and bool(wanted) and normalised(given) == wanted)


class Number(Expecting):
    """1 for the same number."""

    about = "1 when the answer is the expected number."
    tolerance: float = Field(0.0, ge=0.0, description="How far off it may be.")
    last: bool = Field(False, description="Take the last number of the text, whatever stands around it.")

    def score(self, text: str, fields: Mapping[str, Any]) -> float:
        """0.0 without the tags it looks for. An expected text that is no number never equals another."""
        given, wanted = self.given(text), number_of(self.wanted.fill(fields))
        if given is None or wanted is None:
            return 0.0
        if self.last:
            found = NUMBER.findall(given)
            given = found[-1] if found else ""
        number = number_of(given)
        return float(number is not None and abs(number - wanted) <= Decimal(str(self.tolerance)))


class Choice(Expecting):
    """1 for the letter of the right choice."""

    about = "1 when the answer names the expected choice and no other, as B, (B) or B."

    def score(self, text: str, fields: Mapping[str, Any]) -> float:
        given = self.given(text)
        named = {found.upper() for found in CHOICE.findall(given or "")}
        return float(named == {self.wanted.fill(fields).strip().strip("().").upper()})


class Regex(Expecting):
    """1 where a regular expression is found."""

    about = "1 when the pattern is found in the answer, or its first group is the expected text."
    pattern: str = Field(min_length=1, max_length=2000, description="Regular expression of Python.")
    whole: bool = Field(True, description="The pattern must cover the whole answer.")
    compare: Literal["", "group"] = Field("", description="group: what the first group caught must be `expect`.")

    @model_validator(mode="after")
    def _pattern_is_one(self) -> Self:
        try:
            groups = re.compile(self.pattern).groups
        except re.error as error:
            raise InvalidInput(
                "pattern", self.pattern, f"which is no regular expression ({error})", "mend it"
            ) from None
        if self.compare and not groups:
            raise InvalidInput("pattern", self.pattern, "which has no group to compare", "put brackets around one part")
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        return self.wanted.columns if self.compare else ()

    def score(self, text: str, fields: Mapping[str, Any]) -> float:
        given = self.given(text)
        if given is None:
            return 0.0
        pattern = re.compile(self.pattern)  # kept by re itself
        found = pattern.fullmatch(given) if self.whole else pattern.search(given)
        if not self.compare:
            return float(found is not None)
        return float(found is not None and found[1] == self.wanted.fill(fields))


def number_of(text: str) -> Decimal | None:
    """The number a text consists of; thousands separators and a currency sign are overlooked."""
    cleaned = text.strip().lstrip("$").replace(",", "").rstrip(".")
    if not re.fullmatch(r"[-+]?\d{1,40}(\.\d{1,40})?", cleaned):
        return None
    try:
        return Decimal(cleaned)
    except InvalidOperation:
        return None


def normalised(text: str) -> str:
    """Words in lower case with one space between them, without punctuation and articles."""
    return " ".join(ARTICLES.sub(" ", text.casefold().translate(PUNCTUATION)).split())
