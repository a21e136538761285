"""What a task wants of a row, and what is done with a row that is not so."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from core.errors import InvalidInput
from core.tasks.data.columns import type_of
from core.tasks.data.order import Order
from core.tasks.data.roles import refuse_media
from core.tasks.data.rows import BadRow, Kind, Row
from core.tasks.data.table import Table

BadRows = Literal["leave-out", "stop"]
Problem = tuple[Kind, str]  # and what is wrong, as a clause
TYPE_WORDS = {"text": "text", "number": "a number", "boolean": "true or false", "nothing": "nothing"}


@dataclass(frozen=True)
class Wanted:
    """A column that every row has to have.

    types  what may be in it, as `Column.types` has them
    """

    column: str
    types: tuple[str, ...] = ("text",)
    may_be_empty: bool = False


@dataclass(frozen=True)
class Rules:
    """What makes a row usable.

    prompt   the text that a row is told from others by; without it duplicates are not counted
    measure  how long the prompts of these rows are, all at once, since tokenisers are faster so
    longest  of `unit`, how many a prompt may have where there is a `measure`
    """

    wanted: tuple[Wanted, ...]
    prompt: Callable[[Row], str] | None = None
    measure: Callable[[Sequence[Row]], Sequence[int]] | None = None
    longest: int = 0
    unit: str = "tokens"


def problem_of(row: Row, rules: Rules) -> Problem | None:
    """Why this row cannot be used; None when it can."""
    return _wanted_problem(row, rules.wanted) or lengths_problem([row], rules)[0]


def wanted_problems(rows: Sequence[Row], rules: Rules) -> list[Problem | None]:
    """For each row why it cannot be used, lengths apart."""
    return [_wanted_problem(row, rules.wanted) for row in rows]


def lengths_problem(rows: Sequence[Row], rules: Rules) -> list[Problem | None]:
    """For each row whether its prompt is too long."""
    if rules.measure is None or not rows:
        return [None] * len(rows)
    return [
        ("too-long", f"its prompt has {length:,} {rules.unit} and no more than {rules.longest:,} fit")
        if length > rules.longest
        else None
        for length in rules.measure(rows)
    ]


def checked_row(table: Table, index: int, rules: Rules) -> Row:
    """A row that the rules allow. Raises BadRow."""
    row = table.row(index)
    if problem := problem_of(row, rules):
        raise BadRow(problem[0], table.where(index), problem[1])
    return row


def next_row(table: Table, order: Order, position: int, rules: Rules, bad_rows: BadRows) -> tuple[int, int, Row]:
    """(position, row number, row) of the first row from this position on that can be used. The next one stands behind
    that position.

    bad_rows  "leave-out" passes over those that cannot be used, "stop" raises BadRow
    Raises InvalidInput when as many positions as there are rows hold none that can be used.
    """
    for place in range(position, position + order.split.training_rows):
        index = order.training_at(place)
        try:
            return place, index, checked_row(table, index, rules)
        except BadRow:
            if bad_rows == "stop":
                raise
    raise InvalidInput(
        "data",
        table.source.location,
        "in which no row can be used",
        "check the data and the columns that the task wants",
    )


def refuse_unusable(table: Table, rules: Rules) -> None:
    """Raises InvalidInput when the rules want a column of images, audio, video or bytes."""
    wanted = {each.column for each in rules.wanted}
    for column in table.columns:
        if column.name in wanted:
            refuse_media(column)


def _wanted_problem(row: Row, wanted: Sequence[Wanted]) -> Problem | None:
    for each in wanted:
        if each.column not in row:
            return "missing-column", f"it has no column '{each.column}'"
        value = row[each.column]
        if value is None or value in ("", [], {}) or (isinstance(value, str) and value.isspace()):
            if each.may_be_empty:
                continue
            return "empty", f"its '{each.column}' is empty"
        if type_of(value) not in each.types:
            return "wrong-type", f"its '{each.column}' is {_said(type_of(value))} where {_listed(each.types)} is wanted"
    return None


def _said(word: str) -> str:
    return TYPE_WORDS.get(word, "a chat" if word == "messages" else f"an {word}" if word == "object" else f"a {word}")


def _listed(types: Sequence[str]) -> str:
    return " or ".join(map(_said, types))
