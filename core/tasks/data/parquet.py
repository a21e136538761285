"""Parquet: rows by number out of row groups.

Many writers put a whole file into one row group, and a page that says a long text once can stand for it a million
times: a single row could cost reading, and unpacking, all of it. So a file is copied once into the cache, in groups of
about a megabyte. Columns with bytes in them (images, audio) are not read. pyarrow comes with the `train` extra; a
dashboard without it reads JSONL and CSV.
"""

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import InvalidInput
from core.tasks.data.index import CHUNK, FileChanged, file_identity, file_key, write_whole
from core.tasks.data.parquet_copy import ParquetCopy, write_copy
from core.tasks.data.parquet_pages import largest_value
from core.tasks.data.parquet_values import media_columns, to_rows
from core.tasks.data.rows import BadRow, Row
from core.units import GIB, gib

if TYPE_CHECKING:
    from pyarrow import RecordBatch, Table
    from pyarrow.parquet import ParquetFile

BATCH_ROWS, BATCH_BYTES = 1024, 256 * 2**20  # read at a time from the file, and what they may come to
HEAD_ROWS = 1000  # rows that are there before the copy is made
UNPACKED, RATIO = GIB, 1000  # a file may unpack to this much, or to this many times its size


def open_parquet(path: Path, name: str, cache: Path) -> "ParquetRows":
    """The rows of a Parquet file. Raises InvalidInput without pyarrow and for what is no usable Parquet file."""
    try:
        import pyarrow
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise InvalidInput(
            "data",
            name,
            "a Parquet file, and pyarrow is not installed here",
            "install Grouper with its `train` extra (`pip install '.[train]'`), or save the data as JSONL or CSV",
        ) from None
    try:
        file = ParquetFile(path, pre_buffer=False, buffer_size=CHUNK)
        names = file.schema_arrow.names
    except (pyarrow.ArrowException, OSError, ValueError) as failure:
        problem = f"which cannot be read as Parquet ({first_line(failure)})"
        raise InvalidInput("data", name, problem, "write the file again") from None
    _check_names(names, name)
    rows = ParquetRows(path, name, cache, file)
    if len(rows.media) == len(rows.columns):
        raise InvalidInput("data", name, "which has no column that a task can use", "name data with a column of text")
    return rows


class ParquetRows:
    """`Rows` of a Parquet file. Threads may share it."""

    def __init__(self, path: Path, name: str, cache: Path, file: "ParquetFile") -> None:
        self.name, self._path, self._cache = name, path, cache
        self.media: Mapping[str, str] = media_columns(file.schema_arrow)
        self.columns = tuple(file.schema_arrow.names)
        self.notes = tuple(f"{name}: column {each} holds {kind} and is not read." for each, kind in self.media.items())
        self._wanted = [each for each in self.columns if each not in self.media]
        self._identity = file_identity(path)
        self.size = self._identity[0]
        self.known = file.metadata.num_rows
        self._lock, self._reading = threading.Lock(), threading.Lock()
        self._file = file
        self._copy: ParquetCopy | None = None
        self._head: list[Row | BadRow] | None = None
        self._key = file_key(path, "parquet")
        self._copy_path = cache / "parquet" / f"{self._key}.parquet"
        self._sha256 = self._cached_hash()
        self._work, self._done = self._index(), 0
        self._failure: Exception | None = None

    @property
    def complete(self) -> bool:
        return bool(self._sha256) and self._copy is not None

    def grow(self) -> int:
        """Hashes the next piece of the file, or copies the next group. Raises InvalidInput for a damaged file."""
        with self._lock:
            if self._failure is not None:
                raise self._failure
            try:
                self._done = next(self._work, self.size)
            except Exception as failure:  # the work cannot be taken up again behind it
                self._failure = failure
                raise
        return self._done

    def row(self, index: int) -> Row:
        block = self.read(index, index + 1)
        if index < 0 or not block:
            raise IndexError(f"{self.name} has no row {index}")
        if isinstance(block[0], BadRow):
            raise block[0]
        return block[0]

    def read(self, start: int, stop: int) -> Sequence[Row | BadRow]:
        if start >= self.known:
            return ()
        if file_identity(self._path) != self._identity:
            raise FileChanged(self._path)
        if start < HEAD_ROWS and self._copy is None:
            head = self._read_head()
            if start < len(head):
                return head[start:stop]
        while self._copy is None:
            self.grow()
        if start >= self.known:  # the file's own count was wrong
            return ()
        table, first = self._group(start)
        rows = table.slice(start - first, min(stop, first + table.num_rows) - start)
        return to_rows(rows, partial(self._where_behind, start))

    def _group(self, row: int) -> "tuple[Table, int]":
        import pyarrow

        assert self._copy is not None
        with self._reading:
            try:
                return self._copy.holding(row)
            except (pyarrow.ArrowException, OSError, ValueError) as failure:
                self._copy_path.unlink(missing_ok=True)
                problem = f"whose copy in the cache is damaged ({first_line(failure)})"
                raise InvalidInput("data", self.name, problem, "open it again") from None

    def where(self, index: int) -> str:
        return f"{self.name}, row {index + 1}"

    def _where_behind(self, start: int, row: int) -> str:
        return self.where(start + row)

    def fingerprint(self) -> str:
        while not self._sha256:
            self.grow()
        return self._sha256

    def _read_head(self) -> list[Row | BadRow]:
        """The first rows, without waiting for the copy. Raises InvalidInput for a damaged file."""
        with self._reading:
            if self._head is None:
                head: list[Row | BadRow] = []
                for batch in self._batches():
                    head += to_rows(batch, partial(self._where_behind, len(head)))
                    if len(head) >= HEAD_ROWS:
                        break
                self._head = head
            return self._head

    def _batches(self) -> Iterator["RecordBatch"]:
        """The file's rows, so many at a time as surely fit into memory. Raises InvalidInput for a damaged file."""
        import pyarrow
        from pyarrow.parquet import ParquetFile

        size = min(BATCH_ROWS, max(1, BATCH_BYTES // largest_value(self._path, self._file.metadata)))
        file, rows = ParquetFile(self._path, pre_buffer=False, buffer_size=CHUNK), 0
        try:
            for batch in file.iter_batches(batch_size=size, columns=self._wanted, use_threads=False):
                yield batch
                rows += batch.num_rows
        except (pyarrow.ArrowException, OSError) as failure:
            problem = f"which cannot be read behind row {rows:,} ({first_line(failure)})"
            raise InvalidInput("data", self.name, problem, "write the file again") from None

    def _index(self) -> Iterator[int]:
        """Hashes, then copies; yields the bytes done, half of them for each."""
        digest, done = hashlib.sha256(), 0
        if not self._sha256:
            with self._path.open("rb") as file:
                while chunk := file.read(CHUNK):
                    digest.update(chunk)
                    done += len(chunk)
                    yield done // 2
            if file_identity(self._path) != self._identity:
                raise FileChanged(self._path)
            self._sha256 = digest.hexdigest()
            write_whole(self._cache / "index" / self._key, json.dumps({"sha256": self._sha256}).encode())
        for rows in self._make_copy():
            yield self.size // 2 + self.size * min(rows, self.known) // max(1, 2 * self.known)

    def _make_copy(self) -> Iterator[int]:
        """Opens the copy, after writing it where it is not there or damaged; yields how many rows are written."""
        import pyarrow

        copy: ParquetCopy | None = None
        try:
            copy = ParquetCopy(self._copy_path)
        except (pyarrow.ArrowException, OSError, ValueError):
            schema = pyarrow.schema([self._file.schema_arrow.field(each) for each in self._wanted])
            try:
                yield from write_copy(self._without_bomb(), schema, self._copy_path)
                copy = ParquetCopy(self._copy_path)
            except (pyarrow.ArrowException, OSError, ValueError) as failure:
                problem = f"which cannot be copied into {self._copy_path.parent} ({first_line(failure)})"
                raise InvalidInput("data", self.name, problem, "see whether the disk is full") from None
        self.known = copy.rows
        self._copy = copy

    def _without_bomb(self) -> Iterator["RecordBatch"]:
        """The file's rows. Raises InvalidInput when they come to more than is believable."""
        limit, nbytes = max(UNPACKED, RATIO * self.size), 0
        for batch in self._batches():
            nbytes += batch.nbytes
            if nbytes > limit:
                problem = f"which unpacks to more than {gib(limit)} from {gib(self.size)}"
                raise InvalidInput("data", self.name, problem, "write the file again without so much repetition")
            yield batch

    def _cached_hash(self) -> str:
        try:
            return str(json.loads((self._cache / "index" / self._key).read_bytes())["sha256"])
        except (OSError, ValueError, KeyError, TypeError):
            return ""


def first_line(failure: Exception) -> str:
    return (str(failure).splitlines() or [type(failure).__name__])[0][:120]


def _check_names(names: Sequence[str], name: str) -> None:
    """Raises InvalidInput for columns that share a name."""
    twice = [each for place, each in enumerate(names) if each in names[:place]]
    if twice:
        problem = f"which has the column {twice[0]!r} twice"
        raise InvalidInput("data", name, problem, "give every column a name of its own")
