"""Which completions somebody wants to see, as one value that travels in links, on the command line and to the store."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from core.errors import InvalidInput
from core.insights.reward_hacking import KINDS

ORDERS = ("newest", "oldest", "reward", "-reward", "advantage", "-advantage", "length", "-length")
MOST = 1000  # completions on a page
PLACES = ("answers", "prompts")
NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")


@dataclass(frozen=True)
class CompletionFilter:
    """Which completions of a run, and in which order. Bounds include their value.

    step           exactly this step; first_step and last_step bound a range
    score          a reward function; min_score and max_score bound its score
    fields         "name=value": the recipe's field of this name has this value
    search         words that must all occur; "in quotes" next to each other, with a star at the end as a beginning*
    search_in      "answers" or "prompts"
    evidence       a kind of core.insights.reward_hacking.KINDS
    sort           one of ORDERS, or "score:NAME" or "-score:NAME"; a plain name puts the largest first
    after          the cursor that a page before returned
    """

    step: int | None = None
    min_reward: float | None = None
    max_reward: float | None = None
    search: str = ""
    sort: str = "newest"
    limit: int = 50
    after: str = ""
    search_in: str = "answers"
    first_step: int | None = None
    last_step: int | None = None
    min_advantage: float | None = None
    max_advantage: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    score: str = ""
    min_score: float | None = None
    max_score: float | None = None
    finish_reason: str = ""
    flat: bool | None = None
    fields: str = ""
    tag: str = ""
    flagged: bool | None = None
    evidence: str = ""

    def __post_init__(self) -> None:
        if self.sort not in ORDERS and not self.sort.removeprefix("-").startswith("score:"):
            known = f"choose one of {', '.join(ORDERS)} or score:NAME"
            raise InvalidInput("sort", self.sort, "which is no order", known)
        if not 1 <= self.limit <= MOST:
            raise InvalidInput("limit", self.limit, f"which is outside 1 to {MOST}", "choose a smaller page")
        if self.search_in not in PLACES:
            raise InvalidInput("search_in", self.search_in, "which is no place", f"choose {' or '.join(PLACES)}")
        if self.evidence and self.evidence not in KINDS:
            raise InvalidInput("evidence", self.evidence, "which is no kind", f"choose one of {', '.join(KINDS)}")
        if self.fields and "=" not in self.fields:
            raise InvalidInput("fields", self.fields, "which is not NAME=VALUE", "write for example answer=7")
        if not self.score and (self.min_score is not None or self.max_score is not None):
            raise InvalidInput("score", self.score, "but its bounds are given", "name a reward function")

    @property
    def narrows(self) -> bool:
        """Whether anything is asked beyond an order."""
        return bool(self.to_query().keys() - {"sort", "limit", "after", "search_in"})

    def to_query(self) -> dict[str, str]:
        """What differs from the default, as texts for an address; `from_query` is the way back."""
        changed = {field.name: value for field in fields(self) if (value := getattr(self, field.name)) != field.default}
        return {name: _written(value) for name, value in changed.items()}

    @classmethod
    def from_query(cls, query: Mapping[str, Any]) -> "CompletionFilter":
        """Reads what an address or a form holds; empty texts mean nothing asked. Raises InvalidInput."""
        values: dict[str, Any] = {}
        for field in fields(cls):
            text = str(query.get(field.name, "") or "").strip()
            if text:
                values[field.name] = _read(field.name, str(field.type), text)
        return cls(**values)


def _written(value: object) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    return repr(value) if isinstance(value, float) else str(value)


def _read(name: str, kind: str, text: str) -> Any:
    if "str" in kind:
        return text[:1000]
    if "bool" in kind:
        if text not in ("0", "1"):
            raise InvalidInput(name, text, "which is neither 0 nor 1", "write 1 for yes and 0 for no")
        return text == "1"
    if not NUMBER.fullmatch(text) or not math.isfinite(float(text)):
        raise InvalidInput(name, text, "which is not a number", "write a number such as 1 or 0.5")
    if "float" in kind:
        return float(text)
    if not float(text).is_integer() or abs(float(text)) > 2**53:
        raise InvalidInput(name, text, "which is not a whole number", "write a number such as 12")
    return int(float(text))
