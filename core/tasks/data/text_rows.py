"""Rows of a text file by number: the bytes that the index says, parsed by what the format says."""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

from core.tasks.data.index import LineIndex
from core.tasks.data.rows import MAX_ROW_BYTES, BadRow, Kind, Row

Parse = Callable[[bytes], Row]


class Unparsable(Exception):
    """What a parser raises: kind and problem of a bad row, before anybody knows where it stands."""

    def __init__(self, kind: Kind, problem: str) -> None:
        self.kind, self.problem = kind, problem
        super().__init__(problem)


class TextRows:
    """`Rows` of a JSONL or CSV file."""

    media: Mapping[str, str] = MappingProxyType({})

    def __init__(
        self, name: str, index: LineIndex, parse: Parse, columns: tuple[str, ...] = (), notes: tuple[str, ...] = ()
    ) -> None:
        self.name, self.columns, self.notes, self.size = name, columns, notes, index.size
        self._index, self._parse = index, parse

    @property
    def known(self) -> int:
        return self._index.known

    @property
    def complete(self) -> bool:
        return self._index.complete

    def grow(self) -> int:
        return self._index.grow()

    def row(self, index: int) -> Row:
        block = self.read(index, index + 1)
        if index < 0 or not block:
            raise IndexError(f"{self.name} has no row {index}")
        if isinstance(block[0], BadRow):
            raise block[0]
        return block[0]

    def read(self, start: int, stop: int) -> list[Row | BadRow]:
        while self.known < stop and not self.complete:
            self.grow()
        stop = min(stop, self.known)
        if start >= stop:
            return []
        index = self._index
        begin, end = index.span(start, stop)
        while end - begin > MAX_ROW_BYTES and stop > start + 1:
            stop = start + (stop - start) // 2
            end = index.span(start, stop)[1]
        data = b"" if end - begin > MAX_ROW_BYTES else index.bytes_of(begin, end)
        return [self._parsed(each, data, begin) for each in range(start, stop)]

    def where(self, index: int) -> str:
        while self.known <= index and not self.complete:
            self.grow()
        return f"{self.name}, line {self._index.line(index)}"

    def fingerprint(self) -> str:
        while not self.complete:
            self.grow()
        return self._index.sha256

    def _parsed(self, index: int, data: bytes, begin: int) -> Row | BadRow:
        """The row at this place; `data` begins at byte `begin` of the file."""
        first, last = self._index.span(index, index + 1)
        bad = partial(BadRow, where=self.where(index))
        if last - first > MAX_ROW_BYTES:
            problem = f"it is longer than {MAX_ROW_BYTES // 2**20} MiB ({(last - first) / 2**20:,.0f} MiB)"
            return bad("oversized", problem=problem)
        try:
            return self._parse(data[first - begin : last - begin])
        except Unparsable as failure:
            return bad(failure.kind, problem=failure.problem)


def decoded(raw: bytes) -> str:
    """The text of a row. Raises Unparsable for what is not UTF-8 and for a NUL."""
    if b"\0" in raw:
        raise Unparsable("nul", "it has a NUL byte")
    try:
        return raw.decode()
    except UnicodeDecodeError as failure:
        byte = raw[failure.start]
        problem = f"its byte {failure.start + 1} (0x{byte:02x}) is not UTF-8: save the file as UTF-8"
        raise Unparsable("invalid-utf-8", problem) from None
