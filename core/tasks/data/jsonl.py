"""One JSON object a line."""

import json
import math
import re
from array import array
from pathlib import Path

import numpy as np

from core.errors import InvalidInput
from core.tasks.data.index import EDGE, LineIndex
from core.tasks.data.rows import MAX_DEPTH, Json, Row, depth, unusable_text
from core.tasks.data.text_rows import TextRows, Unparsable, decoded

BOM = b"\xef\xbb\xbf"
UTF_16 = (b"\xff\xfe", b"\xfe\xff")


def open_jsonl(path: Path, name: str, cache: Path) -> TextRows:
    """The rows of a JSONL file. Raises InvalidInput for UTF-16 and for a file that is one JSON list."""
    with path.open("rb") as file:
        head = file.read(EDGE)
    refuse_utf_16(head, name)
    begin = len(BOM) if head.startswith(BOM) else 0
    if head[begin:].lstrip()[:1] == b"[":
        raise InvalidInput(
            "data", name, "which holds one JSON list", "write one object a line, as `jq -c '.[]' FILE` does"
        )
    return TextRows(name, LineIndex(path, NewlineScanner(begin), begin, cache, "jsonl"), parse)


def refuse_utf_16(head: bytes, name: str) -> None:
    if head.startswith(UTF_16):
        raise InvalidInput("data", name, "which is UTF-16", "save it as UTF-8")


class NewlineScanner:
    """A row begins behind each newline; a line with nothing on it is none."""

    def __init__(self, begin: int) -> None:
        self.starts, self.lines = array("Q"), array("Q")
        self._start = self._position = begin  # of the line that has begun, and of the next chunk
        self._line = 1
        self._last = 0  # byte before the next chunk

    def feed(self, chunk: bytes) -> None:
        if not chunk:
            return
        data = np.frombuffer(chunk, np.uint8)
        places = np.flatnonzero(data == ord("\n"))
        ends = places.astype(np.uint64) + np.uint64(self._position)
        starts = np.concatenate([np.array([self._start], np.uint64), ends + np.uint64(1)])
        lines = np.arange(self._line, self._line + len(places), dtype=np.uint64)
        before = np.concatenate([np.array([self._last], np.uint8), data])[places]  # the byte before each newline
        lengths = ends - starts[:-1]
        kept = (lengths > 1) | ((lengths == 1) & (before != ord("\r")))
        self.lines.frombytes(lines[kept].tobytes())
        self.starts.frombytes(starts[:-1][kept].tobytes())
        self._line += len(places)
        self._start = int(starts[-1])
        self._position += len(chunk)
        self._last = chunk[-1]

    def finish(self) -> None:
        if self._position > self._start:  # the last line has no newline
            self.lines.append(self._line)
            self.starts.append(self._start)


def _refuse_constant(name: str) -> Json:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text[:20]} is larger than any number here")
    return number


# NaN and infinity would not survive the way to a browser.
DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)
# Escapes that may stand for half of a surrogate pair, or for NUL.
SUSPICIOUS = re.compile(r"\\u(?:[dD][89a-fA-F]|0000)")


def parse(raw: bytes) -> Row:
    """A line's object. Raises Unparsable."""
    text = decoded(raw).rstrip("\r\n")
    try:
        value = DECODER.decode(text)
    except RecursionError:
        raise Unparsable("broken-line", _too_deep()) from None
    except json.JSONDecodeError as failure:
        raise Unparsable("broken-line", f"it is not JSON: {failure.msg} at character {failure.pos + 1}") from None
    except ValueError as failure:
        raise Unparsable("broken-line", f"it is not JSON: {str(failure).split(';')[0][:100]}") from None
    if not isinstance(value, dict):
        raise Unparsable("broken-line", "it is not an object: every line has to be {...}")
    if text.count("[") + text.count("{") > MAX_DEPTH and depth(value) > MAX_DEPTH:
        raise Unparsable("broken-line", _too_deep())
    if SUSPICIOUS.search(text) and (problem := unusable_text(value)):
        raise Unparsable(*problem)
    return value


def _too_deep() -> str:
    return f"its lists and objects lie more than {MAX_DEPTH} deep in one another"
