"""Where each row of a text file begins: found chunk by chunk, kept in the cache once the whole file has been seen.

16 bytes a row in memory and on disk. The file's sha256 is computed in the same pass. What lies in the cache may be
deleted at any time.
"""

import hashlib
import json
import os
import threading
from array import array
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import BinaryIO, Protocol

from core.errors import InvalidInput

CHUNK = 2**20  # bytes
EDGE = 2**16  # bytes at the head and the tail of a file that tell it from another of the same size and time
VERSION = 1  # of the cached form and of what the scanners make of a file


class Scanner(Protocol):
    """Finds rows in a file that it is given piece by piece.

    starts  offset of each row found
    lines   line of the file that each begins on, from 1; grows before `starts` does, since others read meanwhile
    """

    starts: "array[int]"
    lines: "array[int]"

    def feed(self, chunk: bytes) -> None:
        """The next piece of the file."""

    def finish(self) -> None:
        """There are no more pieces."""


class FileChanged(InvalidInput):
    """A file is not what it was when it was opened."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            "data", path.name, "which has changed since it was opened", "open it again, or use a copy that stays"
        )


class LineIndex:
    """The rows of one file; `grow` looks at the next chunk. Threads may share it.

    begin    offset of the first row's first byte: behind a byte order mark and a header
    variant  what else decides where rows begin, such as a delimiter
    """

    def __init__(self, path: Path, scanner: Scanner, begin: int, cache: Path, variant: str) -> None:
        self.path, self._scanner, self._begin, self._cache = path, scanner, begin, cache
        self._lock = threading.Lock()
        self._stat = file_identity(path)
        self.size = self._stat[0]
        self._read = 0
        self._hash = hashlib.sha256()
        self.sha256 = ""
        self._key = file_key(path, variant)
        self._load()

    @property
    def complete(self) -> bool:
        return bool(self.sha256)

    @property
    def known(self) -> int:
        """Rows whose end is known too."""
        found = len(self._scanner.starts)
        return found if self.complete else max(0, found - 1)

    def grow(self) -> int:
        """Looks at the next chunk. Returns how many bytes have been seen. Raises FileChanged."""
        with self._lock:
            if not self.complete:
                self._look_further()
            return self._read

    def span(self, start: int, stop: int) -> tuple[int, int]:
        """First byte, and the byte behind the last, of the rows from `start` up to `stop`, which are known."""
        starts = self._scanner.starts
        return starts[start], starts[stop] if stop < len(starts) else self.size

    def line(self, index: int) -> int:
        return self._scanner.lines[index]

    def bytes_of(self, begin: int, end: int) -> bytes:
        """These bytes of the file. Raises FileChanged."""
        with self._open() as file:
            file.seek(begin)
            return file.read(end - begin)

    def _look_further(self) -> None:
        with self._open() as file:
            file.seek(self._read)
            chunk = file.read(min(CHUNK, self.size - self._read))
        self._hash.update(chunk)
        self._scanner.feed(chunk[max(0, self._begin - self._read) :])
        self._read += len(chunk)
        if self._read >= self.size or not chunk:
            self._scanner.finish()
            self.sha256 = self._hash.hexdigest()
            self._save()

    def _open(self) -> BinaryIO:
        try:
            file = self.path.open("rb")
        except OSError:
            raise FileChanged(self.path) from None
        if _identity_of(os.fstat(file.fileno())) != self._stat:
            file.close()
            raise FileChanged(self.path)
        return file

    def _load(self) -> None:
        """Takes the index from the cache if it is there and whole."""
        starts, lines = array("Q"), array("Q")
        try:
            with (self._cache / "index" / self._key).open("rb") as file:
                head = json.loads(file.readline(1000))
                starts.frombytes(file.read(8 * head["rows"]))
                lines.frombytes(file.read(8 * head["rows"]))
                whole = len(starts) == len(lines) == head["rows"] and not file.read(1)
        except (OSError, ValueError, KeyError, TypeError):
            return
        if whole:
            self._scanner.starts, self._scanner.lines = starts, lines
            self.sha256, self._read = str(head["sha256"]), self.size

    def _save(self) -> None:
        starts, lines = self._scanner.starts, self._scanner.lines
        head = json.dumps({"rows": len(starts), "sha256": self.sha256}).encode() + b"\n"
        write_whole(self._cache / "index" / self._key, head, starts.tobytes(), lines.tobytes())


def file_key(path: Path, variant: str) -> str:
    """A name for what is made of a file: of its path, size, time, both its ends, and `variant`."""
    size, modified = file_identity(path)
    with path.open("rb") as file:
        head = file.read(EDGE)
        file.seek(max(0, size - EDGE))
        tail = file.read(EDGE)
    about = f"{VERSION}|{variant}|{path.resolve()}|{size}|{modified}|".encode()
    return hashlib.sha256(about + hashlib.sha256(head).digest() + hashlib.sha256(tail).digest()).hexdigest()


def write_whole(path: Path, *parts: bytes) -> None:
    """Writes a file that others see whole or not at all. What cannot be kept is made again the next time."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
            try:
                for part in parts:
                    file.write(part)
                file.close()
                os.replace(file.name, path)
            except OSError:
                file.close()
                Path(file.name).unlink(missing_ok=True)
    except OSError:
        return


def file_identity(path: Path) -> tuple[int, int]:
    """(bytes, time of the last change in ns). Raises FileChanged when the file is gone."""
    try:
        return _identity_of(path.stat())
    except OSError:
        raise FileChanged(path) from None


def _identity_of(stat: os.stat_result) -> tuple[int, int]:
    return stat.st_size, stat.st_mtime_ns
