"""A copy of a Parquet file in the cache, in row groups of a bounded size, out of which rows are read by number."""

import os
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

if TYPE_CHECKING:
    from pyarrow import RecordBatch, Schema, Table

GROUP_BYTES, GROUP_ROWS = 2**20, 4096


class ParquetCopy:
    """The two groups read last are kept. Opening and reading a damaged one raise pyarrow's ArrowException or OSError.

    rows  how many it has
    """

    def __init__(self, path: Path) -> None:
        from pyarrow.parquet import ParquetFile

        self._file = ParquetFile(path, pre_buffer=False)
        groups = self._file.metadata
        self.rows: int = groups.num_rows
        sizes = (groups.row_group(each).num_rows for each in range(groups.num_row_groups))
        self._starts = [0, *accumulate(sizes)]
        self._kept: dict[int, Table] = {}

    def holding(self, row: int) -> "tuple[Table, int]":
        """(the group with this row, its first row)."""
        number = bisect_right(self._starts, row) - 1
        if number not in self._kept:
            while len(self._kept) > 1:
                del self._kept[next(iter(self._kept))]
            self._kept[number] = self._file.read_row_group(number, use_threads=False)
        return self._kept[number], self._starts[number]


def write_copy(batches: "Iterable[RecordBatch]", schema: "Schema", path: Path) -> Iterator[int]:
    """Writes rows in small groups; yields how many are written. Leaves nothing half-made. Raises OSError."""
    import pyarrow
    from pyarrow.parquet import ParquetWriter

    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{uuid4().hex}")
    rows, waiting = 0, []
    try:
        with ParquetWriter(unfinished, schema, compression="zstd", use_dictionary=False) as writer:
            for batch in batches:
                waiting.append(batch)
                if _enough(waiting):
                    rows += _write_groups(writer, pyarrow.Table.from_batches(waiting, schema))
                    waiting = []
                    yield rows
            if waiting:
                _write_groups(writer, pyarrow.Table.from_batches(waiting, schema))
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def _enough(batches: "Sequence[RecordBatch]") -> bool:
    rows, nbytes = sum(each.num_rows for each in batches), sum(each.nbytes for each in batches)
    return bool(rows >= GROUP_ROWS or nbytes >= GROUP_BYTES)


def _write_groups(writer: Any, table: "Table") -> int:
    """Writes these rows as groups of about GROUP_BYTES. Returns how many they are."""
    groups = max(1, round(table.nbytes / GROUP_BYTES))
    writer.write_table(table, row_group_size=max(1, -(-table.num_rows // groups)))
    return int(table.num_rows)
