"""What a row is, what a bad one is called, and what every reader of rows can do."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal, Protocol, TypeAlias

from core.errors import GrouperError

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Row: TypeAlias = dict[str, Json]
Progress: TypeAlias = Callable[[int, int], None]  # (done, of) in bytes, or in rows where rows are checked
Kind = Literal[
    "broken-line",
    "invalid-utf-8",
    "nul",
    "oversized",
    "too-many-fields",
    "too-few-fields",
    "missing-column",
    "empty",
    "wrong-type",
    "too-long",
]

MAX_ROW_BYTES = 4 * 2**20  # of one row as it stands in its file: about a million tokens
MAX_DEPTH = 64  # of lists and objects in one another


class BadRow(GrouperError):
    """A row that cannot be used. Reads "capitals.csv, line 12: it has 5 fields and the header has 3."

    kind     one word that a program can match and count
    where    file and line, or row of a Parquet file, from 1
    problem  what is wrong, as a clause
    """

    def __init__(self, kind: Kind, where: str, problem: str) -> None:
        self.kind, self.where, self.problem = kind, where, problem
        super().__init__(f"{where}: {problem}.")


class Rows(Protocol):
    """The rows of one file.

    name     the file's name, as people are shown it
    columns  their names where the file has a header or a schema; () where every row has its own
    media    columns that are left out because they hold "images", "audio", "video" or "bytes"
    notes    what was guessed or left out, as sentences
    known    how many rows have been found so far
    size     bytes of the file
    """

    name: str
    columns: tuple[str, ...]
    media: Mapping[str, str]
    notes: tuple[str, ...]
    size: int

    @property
    def known(self) -> int: ...

    @property
    def complete(self) -> bool:
        """Whether `known` is all of them."""

    def grow(self) -> int:
        """Finds some more rows. Returns how many bytes of the file have been looked through."""

    def row(self, index: int) -> Row:
        """The row at this place, from 0. Raises BadRow, and IndexError behind the last row."""

    def read(self, start: int, stop: int) -> Sequence[Row | BadRow]:
        """The rows from `start` up to `stop`, or fewer of them but at least one; empty behind the last row."""

    def where(self, index: int) -> str:
        """File and line of a row."""

    def fingerprint(self) -> str:
        """sha256 of the file's content in hex; reads the rest of the file where that has not been done."""


def scan(rows: Rows, start: int = 0) -> Iterator[Row | BadRow]:
    """All rows from `start` on, one after the other."""
    while block := rows.read(start, start + 1000):
        yield from block
        start += len(block)


def unusable_text(value: Json) -> tuple[Kind, str] | None:
    """Why text in this value cannot be stored or tokenised: half of a surrogate pair, or a NUL. None when it can."""
    if isinstance(value, str):
        if "\0" in value:
            return "nul", "it has a NUL character"
        try:
            value.encode()
        except UnicodeEncodeError:
            return "invalid-utf-8", "it has half of a surrogate pair, which is no character"
        return None
    parts = [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else ()
    return next((problem for part in parts if (problem := unusable_text(part))), None)


def depth(value: Json) -> int:
    """How many lists and objects lie in one another: 0 for a number, 1 for a list of numbers."""
    deepest, level = 0, [value]
    while level := [each for each in level if isinstance(each, list | dict)]:
        deepest += 1
        level = [part for each in level for part in (each.values() if isinstance(each, dict) else each)]
    return deepest
