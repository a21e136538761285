"""Completions to take along: JSONL, CSV or Parquet, written piece by piece however many there are."""

import importlib.util
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from core.errors import InvalidInput
from core.records.rollout import Completion
from core.store import Database
from core.store.runs import queries
from core.store.search.filter import CompletionFilter
from core.store.search.query import list_completions, score_functions

AT_ONCE = 500  # completions read in one go
# Column -> type, the same in every format. Scores follow, a column "score/NAME" for each reward function.
COLUMNS: Mapping[str, type] = {
    "id": int, "run": str, "step": int, "group": int, "index": int, "prompt": str, "text": str,
    "finish_reason": str, "length": int, "reward": float, "advantage": float, "flat": bool, "flagged": bool,
    "tags": str, "note": str,
}  # fmt: skip
MIME = {"jsonl": "application/x-ndjson", "csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}


def formats() -> tuple[str, ...]:
    """The formats that can be written here; Parquet needs pyarrow, which comes with the training stack."""
    return ("jsonl", "csv", *(["parquet"] if importlib.util.find_spec("pyarrow") else []))


def export(database: Database, run_id: str, wanted: CompletionFilter, form: str) -> Iterator[bytes]:
    """The file, piece by piece. Raises InvalidInput before the first piece where it cannot be written."""
    if form not in formats():
        remedy = f"choose one of {', '.join(formats())}" + ("" if form in formats() else "; Parquet needs pyarrow")
        raise InvalidInput("format", form, "which cannot be written here", remedy)
    with database.reading() as connection:
        queries.get_run(connection, run_id)
        functions = score_functions(connection, run_id)
        list_completions(connection, run_id, replace(wanted, limit=1))
    columns = {**COLUMNS, **{f"score/{name}": float for name in functions}}
    writers: Mapping[str, Callable[..., Iterator[bytes]]] = {"jsonl": _jsonl, "csv": _csv, "parquet": _parquet}
    return writers[form](_batches(database, run_id, wanted, columns), columns)


def row_of(one: Completion, columns: Mapping[str, type]) -> dict[str, Any]:
    """A completion as a flat row; a score of a function that did not score it is None."""
    scores = {f"score/{score.function}": score.value for score in one.scores}
    values = {
        **{name: getattr(one, name, None) for name in COLUMNS},
        "flagged": one.remark.flagged,
        "tags": ",".join(one.remark.tags),
        "note": one.remark.note,
        **scores,
    }
    return {name: values.get(name) for name in columns}


Rows = list[dict[str, Any]]


def _batches(database: Database, run_id: str, wanted: CompletionFilter, columns: Mapping[str, type]) -> Iterator[Rows]:
    """Each batch is read in a transaction of its own, so that a slow reader holds nothing back."""
    after = ""
    while True:
        with database.reading() as connection:
            asked = replace(wanted, limit=AT_ONCE, after=after)
            page, after = list_completions(connection, run_id, asked)
        if page:
            yield [row_of(one, columns) for one in page]
        if not after:
            return


def _jsonl(batches: Iterator[Rows], columns: Mapping[str, type]) -> Iterator[bytes]:
    for rows in batches:
        yield "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def _csv(batches: Iterator[Rows], columns: Mapping[str, type]) -> Iterator[bytes]:
    """With a header. Texts are quoted, so that an empty one is not a missing one; NUL, which CSV readers stop at, is
    written \\x00."""
    yield _line(columns)
    for rows in batches:
        yield b"".join(_line(row[name] for name in columns) for row in rows)


def _line(values: Iterable[Any]) -> bytes:
    return (",".join(map(_cell, values)) + "\n").encode()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return repr(value)
    escaped = value.replace('"', '""').replace("\0", "\\x00")
    return f'"{escaped}"'


def _parquet(batches: Iterator[Rows], columns: Mapping[str, type]) -> Iterator[bytes]:
    """One row group a batch."""
    import pyarrow as pa
    from pyarrow import parquet

    kinds = {int: pa.int64(), str: pa.string(), float: pa.float64(), bool: pa.bool_()}
    schema = pa.schema([(name, kinds[kind]) for name, kind in columns.items()])
    sink = _Pieces()
    with parquet.ParquetWriter(pa.PythonFile(sink, mode="w"), schema) as writer:
        for rows in batches:
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))
            yield sink.taken()
    yield sink.taken()


class _Pieces(io.RawIOBase):
    """A file that is given away as it is written."""

    def __init__(self) -> None:
        self._waiting, self._written = bytearray(), 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._written

    def write(self, data: Any) -> int:
        self._waiting += data
        self._written += len(data)
        return len(data)

    def taken(self) -> bytes:
        piece, self._waiting = bytes(self._waiting), bytearray()
        return piece
