"""A table: the rows of one file or of several, by number."""

import hashlib
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from core.tasks.data.columns import Column, observe
from core.tasks.data.rows import BadRow, Progress, Row, Rows, scan

if TYPE_CHECKING:
    from core.tasks.data.source import DataSource

LOOKED_AT = 1000  # first rows, for the columns


class Table:
    """Rows by number, from 0. The first ones are there at once; `len` and `fingerprint` need the whole data to be read.

    parts   its files, in their order
    source  where it comes from, with what was chosen filled in: a Hub data set's config, split and commit
    origin  what a fingerprint of Hub data begins with; empty for files
    """

    def __init__(
        self, parts: Sequence[Rows], source: "DataSource", notes: Sequence[str] = (), origin: str = ""
    ) -> None:
        self.source = source
        self.parts, self._notes, self._origin = tuple(parts), tuple(notes), origin

    @property
    def notes(self) -> tuple[str, ...]:
        """What was guessed, left out or passed over when it was opened, as sentences."""
        return (*self._notes, *dict.fromkeys(note for part in self.parts for note in part.notes))

    @property
    def nbytes(self) -> int:
        """Bytes of all its files."""
        return sum(part.size for part in self.parts)

    @property
    def known(self) -> int:
        """How many rows have been found so far."""
        return sum(part.known for part in self.parts)

    @property
    def complete(self) -> bool:
        """Whether `known` is all of them, and `len` and `fingerprint` are there at once."""
        return all(part.complete for part in self.parts)

    def build(self, progress: Progress | None = None) -> None:
        """Reads all that has not been read; `progress` gets bytes. May run in a thread of its own, or not at all.

        Raises InvalidInput when a file changes meanwhile or turns out to be damaged.
        """
        before = 0
        for part in self.parts:
            while not part.complete:
                done = part.grow()
                if progress:
                    progress(before + done, self.nbytes)
            before += part.size
        if progress:
            progress(self.nbytes, self.nbytes)

    def __len__(self) -> int:
        self.build()
        return self.known

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """The columns as the first 1,000 rows show them."""
        names = list(dict.fromkeys(name for part in self.parts for name in part.columns))
        media = {name: kind for part in self.parts for name, kind in part.media.items()}
        return observe(names, self.first(LOOKED_AT), media)

    def row(self, index: int) -> Row:
        """Raises BadRow for one that cannot be used, and IndexError behind the last."""
        part, place = self._holding(index)
        return part.row(place)

    def first(self, count: int) -> list[Row]:
        """The good ones among the first `count` rows."""
        return [row for _, row in zip(range(count), self.scan(), strict=False) if not isinstance(row, BadRow)]

    def scan(self) -> Iterator[Row | BadRow]:
        """All rows in the order of the files."""
        for part in self.parts:
            yield from scan(part)

    def where(self, index: int) -> str:
        """ "capitals.csv, line 12" or "part-0.parquet, row 12"."""
        part, place = self._holding(index)
        return part.where(place)

    @property
    def fingerprint(self) -> str:
        """sha256 in hex: of a single file what `sha256sum` says; of several, of their sums and names; of Hub data, of
        the data set's name, commit, config and split too.
        """
        if len(self.parts) == 1 and not self._origin:
            return self.parts[0].fingerprint()
        lines = [self._origin] if self._origin else []
        lines += [f"{part.fingerprint()}  {part.name}" for part in self.parts]
        return hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()

    def _holding(self, index: int) -> tuple[Rows, int]:
        """(the file with this row, the row's place in it)."""
        if index < 0:
            raise IndexError(f"there is no row {index}")
        for part in self.parts:
            while part.known <= index and not part.complete:
                part.grow()
            if index < part.known:
                return part, index
            index -= part.known
        raise IndexError("there are not that many rows")
