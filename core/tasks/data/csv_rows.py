"""CSV and TSV: a header, then rows of cells; a quoted cell may hold newlines.

Quotes mean what they mean to Python's csv module: only one that begins a cell opens a quoted cell, `""` inside it is a
quote. A quote that is never closed costs its own line, not the rest of the file.
"""

import re
from array import array
from functools import partial
from pathlib import Path

from core.errors import InvalidInput, shown
from core.tasks.data.index import EDGE, LineIndex
from core.tasks.data.jsonl import BOM, refuse_utf_16
from core.tasks.data.rows import MAX_ROW_BYTES, Kind, Row
from core.tasks.data.text_rows import TextRows, Unparsable, decoded

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs"}
MAX_COLUMNS = 1000
MAX_NAME = 100  # characters of a column's name
LOOKED_AT = 20  # records, to tell the delimiter
NUMBER = re.compile(r"[-+]?[\d.,]*\d[%\d]*")
WRITE_HEADER = "write a first line with the columns' names"


def open_csv(path: Path, name: str, cache: Path, delimiter: str = "") -> TextRows:
    """The rows of a CSV file, its delimiter guessed where none is given.

    Raises InvalidInput for a header that is missing or has a column twice, and for what is not UTF-8.
    """
    with path.open("rb") as file:
        head = file.read(EDGE)
    refuse_utf_16(head, name)
    mark = len(BOM) if head.startswith(BOM) else 0
    if b"\r" in head and b"\n" not in head:
        raise InvalidInput("data", name, "whose lines end as on old Macs", "save it with Unix or Windows line ends")
    cells = delimiter or guess_delimiter(head[mark:])
    raw, lines = _header_record(head[mark:], cells)
    columns, notes = _columns(raw, cells, name)
    if not delimiter and cells != ",":
        notes = (*notes, f"{name}: cells are taken to be separated by {DELIMITERS[cells]}.")
    begin = mark + len(raw)
    scanner = RecordScanner(begin, lines + 1, cells)
    index = LineIndex(path, scanner, begin, cache, f"csv{cells}")
    return TextRows(name, index, partial(parse, columns=columns, delimiter=cells), columns, notes)


class RecordScanner:
    """A row begins behind each newline that is not inside a quoted cell; a line with nothing on it is none."""

    def __init__(self, begin: int, first_line: int, delimiter: str) -> None:
        self.starts, self.lines = array("Q"), array("Q")
        self._opening = _opening_quote(delimiter)
        self._position, self._line = begin, first_line  # of the line that is looked at next
        self._rest = b""  # of a line whose newline has not come
        self._skipping = False  # the rest of a line that is too long to look into
        self._open_starts, self._open_lines = array("Q"), array("Q")  # lines of a record that is not closed yet

    def feed(self, chunk: bytes) -> None:
        lines = (self._rest + chunk).split(b"\n")
        self._rest = lines.pop()
        for line in lines:
            self._take(line, len(line) + 1)
        if len(self._rest) > MAX_ROW_BYTES:
            self._skip_rest()

    def finish(self) -> None:
        if self._rest or self._skipping:
            self._take(self._rest, len(self._rest))
        self._give_up()

    def _take(self, line: bytes, length: int) -> None:
        """One line of the file, without its newline."""
        start, number = self._position, self._line
        self._position += length
        self._line += 1
        if self._skipping:
            self._skipping = False
            return
        blank = line in (b"", b"\r")
        if not self._open_starts:
            if blank:
                return
            if b'"' not in line or not open_after(line, self._opening, False):
                self._add(start, number)
                return
        elif b'"' in line and not open_after(line, self._opening, True):
            self._add(self._open_starts[0], self._open_lines[0])
            self._close()
            return
        if not blank:
            self._open_starts.append(start)
            self._open_lines.append(number)
        if self._position - self._open_starts[0] > MAX_ROW_BYTES:
            self._give_up()

    def _add(self, start: int, number: int) -> None:
        self.lines.append(number)
        self.starts.append(start)

    def _give_up(self) -> None:
        """A quote was not closed: every line since then is a row of its own, the first a bad one."""
        self.lines.extend(self._open_lines)
        self.starts.extend(self._open_starts)
        self._close()

    def _close(self) -> None:
        self._open_starts, self._open_lines = array("Q"), array("Q")

    def _skip_rest(self) -> None:
        """A line is too long to be looked into: it becomes an oversized row of its own."""
        self._give_up()
        if not self._skipping:
            self._add(self._position, self._line)
        self._skipping = True
        self._position += len(self._rest)
        self._rest = b""


def open_after(line: bytes, opening: re.Pattern[bytes], inside: bool) -> bool:
    """Whether a quoted cell is open behind this line; `inside`: whether one is before it."""
    place = 0
    while True:
        if not inside:
            quote = opening.search(line, place)
            if quote is None:
                return False
            place, inside = quote.end(), True
        end = line.find(b'"', place)
        if end < 0:
            return True
        place = end + 1
        if line[place : place + 1] == b'"':
            place += 1
        else:
            inside = False


def _opening_quote(delimiter: str) -> re.Pattern[bytes]:
    return re.compile(b"(?:\\A|" + re.escape(delimiter.encode()) + b')"')


def split_record(text: str, delimiter: str) -> tuple[list[str], bool]:
    """(the cells of a record, whether its last quote is closed)."""
    if '"' not in text:
        return text.split(delimiter), True
    cells: list[str] = []
    place = 0
    while True:
        parts: list[str] = []
        if text[place : place + 1] == '"':
            place += 1
            while True:
                quote = text.find('"', place)
                if quote < 0:
                    return [*cells, "".join([*parts, text[place:]])], False
                parts.append(text[place:quote])
                place = quote + 1
                if text[place : place + 1] != '"':
                    break
                parts.append('"')
                place += 1
        end = text.find(delimiter, place)
        parts.append(text[place:] if end < 0 else text[place:end])
        cells.append("".join(parts))
        if end < 0:
            return cells, True
        place = end + 1


def parse(raw: bytes, columns: tuple[str, ...], delimiter: str) -> Row:
    """A record's cells by column, all of them text. Raises Unparsable."""
    cells, closed = split_record(decoded(raw).rstrip("\r\n"), delimiter)
    if not closed:
        raise Unparsable("broken-line", "it has a quote that is not closed")
    if len(cells) != len(columns):
        kind: Kind = "too-many-fields" if len(cells) > len(columns) else "too-few-fields"
        raise Unparsable(kind, f"it has {len(cells)} fields and the header has {len(columns)}")
    return dict(zip(columns, cells, strict=True))


def guess_delimiter(head: bytes) -> str:
    """What separates cells: what gives the first records most of the fields they agree on; a comma in doubt."""
    best, chosen = (0.0, 1), ","
    for delimiter in DELIMITERS:
        widths: list[int] = []
        rest = head
        while rest.strip() and len(widths) < LOOKED_AT:
            raw, _ = _header_record(rest, delimiter)
            widths.append(len(split_record(raw.decode(errors="replace").strip("\r\n"), delimiter)[0]))
            rest = rest[len(raw) :]
        if len(widths) > 2 and len(head) == EDGE:
            widths.pop()  # it may be cut
        agreeing = sum(width == widths[0] for width in widths) / len(widths) if widths else 0.0
        if widths and widths[0] > 1 and (agreeing, widths[0]) > best:
            best, chosen = (agreeing, widths[0]), delimiter
    return chosen


def _header_record(head: bytes, delimiter: str) -> tuple[bytes, int]:
    """The first record that is not blank with what stands before it, as bytes, and how many lines that is."""
    opening, inside, length = _opening_quote(delimiter), False, 0
    lines = head.split(b"\n")
    for number, line in enumerate(lines, 1):
        length += len(line) + 1
        inside = open_after(line, opening, inside)
        if not inside and line.strip(b"\r"):
            return head[:length], number
    return head, len(lines)


def _columns(raw: bytes, delimiter: str, name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(names of the columns, notes). Raises InvalidInput where the first record cannot be a header."""
    try:
        text = decoded(raw)
    except Unparsable as failure:
        raise InvalidInput("data", name, f"whose header cannot be read: {failure.problem}", WRITE_HEADER) from None
    cells, closed = split_record(text.strip("\r\n"), delimiter)
    names = [cell.strip() for cell in cells]
    notes: tuple[str, ...] = ()
    if len(names) > 1 and not names[0]:  # what pandas writes for its row numbers
        names[0] = "column_1"
        notes = (f"{name}: the first column has no name and is called column_1.",)
    problem = "" if closed else "whose header has a quote that is not closed"
    if not problem and len(names) > MAX_COLUMNS:
        problem = f"whose header has {len(names):,} columns and no more than {MAX_COLUMNS:,} are read"
    if problem:
        raise InvalidInput("data", name, problem, WRITE_HEADER)
    for place, cell in enumerate(names):
        if not cell or len(cell) > MAX_NAME or NUMBER.fullmatch(cell):
            problem = f"whose first line has {shown(cell, 40)} where the name of column {place + 1} should be"
            raise InvalidInput("data", name, problem, WRITE_HEADER)
        if cell in names[:place]:
            problem = f"whose header has the column {shown(cell, 40)} twice"
            raise InvalidInput("data", name, problem, "give every column a name of its own")
    return tuple(names), notes
