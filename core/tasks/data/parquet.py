"""Parquet: rows by number out of row groups.

Many writers put a whole file into one row group, so that a single row would cost reading all of it. Such a file is
copied once into the cache, in groups of about a megabyte. Columns with bytes in them (images, audio) are not read.
pyarrow comes with the `train` extra; a dashboard without it reads JSONL and CSV.
"""

import hashlib
import json
import os
import threading
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from core.errors import InvalidInput
from core.tasks.data.index import CHUNK, FileChanged, file_identity, file_key, write_whole
from core.tasks.data.parquet_values import media_columns, to_rows
from core.tasks.data.rows import BadRow, Row

if TYPE_CHECKING:
    from pyarrow import Schema, Table
    from pyarrow.parquet import FileMetaData, ParquetFile

LARGE_GROUP = 32 * 2**20  # bytes, uncompressed: above it a group is too much to read for one row
GROUP_BYTES, GROUP_ROWS = 2**20, 4096  # of the groups in the copy
BATCH_ROWS = 256  # read at a time from a large group
HEAD_ROWS = 1000  # rows that are there before the copy is made
BOMB_BYTES, BOMB_RATIO = 64 * 2**20, 1000  # a column of a group that is larger, and this many times what is stored


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
        schema, groups = file.schema_arrow, file.metadata
    except (pyarrow.ArrowException, OSError, ValueError) as failure:
        problem = f"which cannot be read as Parquet ({str(failure).splitlines()[0][:120]})"
        raise InvalidInput("data", name, problem, "write the file again") from None
    _check(schema, groups, name)
    return ParquetRows(path, name, cache, file)


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
        self._source = file
        groups = file.metadata
        sizes = [groups.row_group(each).total_byte_size for each in range(groups.num_row_groups)]
        self._groups: _Groups | None = None if max(sizes, default=0) > LARGE_GROUP else _Groups(file, self._wanted)
        self._head: list[Row | BadRow] | None = None
        self._key = file_key(path, "parquet")
        self._sha256 = self._cached_hash()
        self._work, self._done = self._index(), 0
        self._failure: InvalidInput | None = None

    @property
    def complete(self) -> bool:
        return bool(self._sha256) and self._groups is not None

    def grow(self) -> int:
        """Hashes the next piece of the file, or copies the next group. Raises InvalidInput for a damaged file."""
        with self._lock:
            if self._failure is not None:
                raise self._failure
            try:
                self._done = next(self._work, self.size)
            except InvalidInput as failure:
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
        if self._groups is None:
            head = self._read_head()
            if start < len(head):
                return head[start:stop]
        while self._groups is None:
            self.grow()
        with self._reading:
            table, first, rows = self._groups.holding(start)
        stop = min(stop, first + rows, self.known)
        if table is None or first + table.num_rows < stop:
            return [BadRow("broken-line", self.where(each), "it cannot be read") for each in range(start, stop)]
        return to_rows(table.slice(start - first, stop - start), partial(self._where_behind, start))

    def where(self, index: int) -> str:
        return f"{self.name}, row {index + 1}"

    def _where_behind(self, start: int, row: int) -> str:
        return self.where(start + row)

    def fingerprint(self) -> str:
        while not self._sha256:
            self.grow()
        return self._sha256

    def _read_head(self) -> list[Row | BadRow]:
        """The first rows of a file in large groups, without waiting for its copy."""
        with self._reading:
            if self._head is None:
                head: list[Row | BadRow] = []
                for batch in _batches(self._source, self._wanted):
                    head += to_rows(batch, partial(self._where_behind, len(head)))
                    if len(head) >= HEAD_ROWS:
                        break
                self._head = head
            return self._head

    def _index(self) -> Iterator[int]:
        """Hash, then copy; yields the bytes done, for a file in large groups half of them for each."""
        shares = 2 if self._groups is None else 1
        digest, done = hashlib.sha256(), 0
        if not self._sha256:
            with self._path.open("rb") as file:
                while chunk := file.read(CHUNK):
                    digest.update(chunk)
                    done += len(chunk)
                    yield done // shares
            if file_identity(self._path) != self._identity:
                raise FileChanged(self._path)
            self._sha256 = digest.hexdigest()
            write_whole(self._cache / "index" / self._key, json.dumps({"sha256": self._sha256}).encode())
        if self._groups is None:
            for rows in self._copy():
                yield self.size // 2 + self.size * rows // (2 * self.known)

    def _copy(self) -> Iterator[int]:
        """Makes the copy in small groups, unless it is there; yields how many rows it has."""
        import pyarrow
        from pyarrow.parquet import ParquetFile

        copy = self._cache / "parquet" / f"{self._key}.parquet"
        rows = 0
        try:
            if not copy.is_file():
                for rows in _regroup(ParquetFile(self._path, pre_buffer=False, buffer_size=CHUNK), self._wanted, copy):
                    yield rows
            copied = ParquetFile(copy, pre_buffer=False)
        except (pyarrow.ArrowException, OSError) as failure:
            problem = (
                f"which cannot be copied into the cache behind row {rows:,} ({str(failure).splitlines()[0][:120]})"
            )
            raise InvalidInput(
                "data", self.name, problem, "see whether the disk is full, or write the file again"
            ) from None
        self.known = min(self.known, copied.metadata.num_rows)
        self._groups = _Groups(copied, self._wanted)

    def _cached_hash(self) -> str:
        try:
            return str(json.loads((self._cache / "index" / self._key).read_bytes())["sha256"])
        except (OSError, ValueError, KeyError, TypeError):
            return ""


class _Groups:
    """A Parquet file's row groups, the two read last kept."""

    def __init__(self, file: "ParquetFile", wanted: list[str]) -> None:
        self._file, self._wanted = file, wanted
        groups = file.metadata
        sizes = (groups.row_group(each).num_rows for each in range(groups.num_row_groups))
        self._starts = [0, *accumulate(sizes)]
        self._kept: dict[int, Table | None] = {}

    def holding(self, row: int) -> "tuple[Table | None, int, int]":
        """(the group with this row, its first row, its number of rows); None for a group that cannot be read."""
        import pyarrow

        number = bisect_right(self._starts, row) - 1
        if number not in self._kept:
            while len(self._kept) > 1:
                del self._kept[next(iter(self._kept))]
            try:
                table = self._file.read_row_group(number, columns=self._wanted, use_threads=False)
            except (pyarrow.ArrowException, OSError):
                table = None
            self._kept[number] = table
        return self._kept[number], self._starts[number], self._starts[number + 1] - self._starts[number]


def _batches(file: "ParquetFile", wanted: list[str]) -> Iterator[Any]:
    return iter(file.iter_batches(batch_size=BATCH_ROWS, columns=wanted, use_threads=False))


def _regroup(file: "ParquetFile", wanted: list[str], copy: Path) -> Iterator[int]:
    """Writes `copy` with the same rows in small groups; yields how many are written. Leaves nothing half-made."""
    import pyarrow
    from pyarrow.parquet import ParquetWriter

    copy.parent.mkdir(parents=True, exist_ok=True)
    unfinished = copy.with_name(f".{uuid4().hex}")
    rows, waiting = 0, []
    schema = pyarrow.schema([file.schema_arrow.field(each) for each in wanted])
    try:
        with ParquetWriter(unfinished, schema, use_dictionary=False, write_statistics=False) as writer:
            for batch in _batches(file, wanted):
                waiting.append(batch)
                count = sum(each.num_rows for each in waiting)
                if count >= GROUP_ROWS or sum(each.nbytes for each in waiting) >= GROUP_BYTES:
                    writer.write_table(pyarrow.Table.from_batches(waiting, schema))
                    rows, waiting = rows + count, []
                    yield rows
            if waiting:
                writer.write_table(pyarrow.Table.from_batches(waiting, schema))
        os.replace(unfinished, copy)
    finally:
        unfinished.unlink(missing_ok=True)


def _check(schema: "Schema", groups: "FileMetaData", name: str) -> None:
    """Raises InvalidInput for columns that share a name, and for a file that would unpack to far more than it is."""
    twice = [each for place, each in enumerate(schema.names) if each in schema.names[:place]]
    if twice:
        raise InvalidInput(
            "data", name, f"which has the column {twice[0]!r} twice", "give every column a name of its own"
        )
    for number in range(groups.num_row_groups):
        group = groups.row_group(number)
        for place in range(group.num_columns):
            chunk = group.column(place)
            unpacked, stored = chunk.total_uncompressed_size, chunk.total_compressed_size
            if unpacked > BOMB_BYTES and unpacked > BOMB_RATIO * stored:
                problem = (
                    f"whose column {chunk.path_in_schema} unpacks to {unpacked // 2**20:,} MiB from {stored:,} bytes"
                )
                raise InvalidInput("data", name, problem, "write the file again without so much repetition")
