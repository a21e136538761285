"""What a child says of completions, taken as a stranger's text: only what has the right shape gets further."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from core.tasks.sandbox.failures import BrokenReply
from core.tasks.sandbox.wording import clean

LONGEST_REASON, LONGEST_NAME, LONGEST_EXTRA = 600, 100, 10_000  # characters
LARGEST_WHOLE = 1 << 63  # what a database holds of whole numbers
MOST_NAMES = 50  # columns or metrics of one answer

Value = TypeVar("Value")
Logged = str | float | bool | None


@dataclass(frozen=True)
class Outcome:
    """A score; or none with the reason in `error`; or neither: the function does not apply to this completion."""

    value: float | None
    error: str | None = None

    @property
    def kind(self) -> str:
        return "scored" if self.value is not None else "unscored" if self.error is not None else "does not apply"


@dataclass(frozen=True)
class Answer:
    """outcomes: one for each completion asked about; extra: column -> as many values; metrics: name -> a number."""

    outcomes: tuple[Outcome, ...]
    extra: Mapping[str, tuple[Logged, ...]]
    metrics: Mapping[str, float]


def read_answer(reply: Mapping[str, Any], count: int) -> Answer:
    """The answer about `count` completions. Raises BrokenReply for anything else."""
    values, extra, metrics = reply.get("values"), reply.get("extra"), reply.get("metrics")
    if (
        not isinstance(values, list)
        or len(values) != count
        or not isinstance(extra, dict)
        or not isinstance(metrics, dict)
    ):
        raise BrokenReply("gave an answer of another shape than scores have")
    columns = {
        name: tuple(map(_logged, column))
        for name, column in extra.items()
        if isinstance(column, list) and len(column) == count
    }
    figures = {name: float(value) for name, value in metrics.items() if _is_number(value)}
    return Answer(tuple(map(_outcome, values)), _named(columns), _named(figures))


def _outcome(value: Any) -> Outcome:
    if value is None:
        return Outcome(None)
    if _is_number(value):
        return Outcome(float(value))
    if isinstance(value, dict) and isinstance(value.get("error"), str):
        return Outcome(None, clean(value["error"], LONGEST_REASON) or "failed without a word")
    return Outcome(None, "returned something that is no number")


def _logged(value: Any) -> Logged:
    """A cell of a table: a number or a text; what is neither is shown as text."""
    if value is None or isinstance(value, bool) or (_is_number(value) and abs(value) < LARGEST_WHOLE):
        return value
    return clean(value if isinstance(value, str) else str(value), LONGEST_EXTRA, lines=True)


def _is_number(value: Any) -> bool:
    try:
        return isinstance(value, (int, float)) and math.isfinite(value)
    except OverflowError:  # a whole number larger than any float
        return False


def _named(found: Mapping[str, Value]) -> dict[str, Value]:
    return {clean(name, LONGEST_NAME): value for name, value in [*found.items()][:MOST_NAMES]}
