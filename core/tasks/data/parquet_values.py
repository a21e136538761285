"""From Arrow's values to what JSON can say."""

import datetime
import json
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from core.tasks.data.rows import MAX_ROW_BYTES, BadRow, Json, Row, unusable_text
from core.tasks.data.text_rows import Unparsable

if TYPE_CHECKING:
    from pyarrow import DataType, Schema


def to_rows(table: Any, where: Callable[[int], str]) -> list[Row | BadRow]:
    """Each row of an Arrow table or batch, bad ones named by `where(row in the table)`."""
    if table.nbytes <= MAX_ROW_BYTES:  # else one of them may be too large to touch
        try:
            return [_checked(row, where, number) for number, row in enumerate(table.to_pylist())]
        except UnicodeDecodeError:
            pass
    return [_single(table.slice(number, 1), where, number) for number in range(table.num_rows)]


def _single(table: Any, where: Callable[[int], str], number: int) -> Row | BadRow:
    """The only row of `table`, which is row `number` of another."""
    if table.nbytes > MAX_ROW_BYTES:
        problem = f"it is longer than {MAX_ROW_BYTES // 2**20} MiB ({table.nbytes / 2**20:,.0f} MiB)"
        return BadRow("oversized", where(number), problem)
    try:
        return _checked(table.to_pylist()[0], where, number)
    except UnicodeDecodeError:
        return BadRow("invalid-utf-8", where(number), "it has text that is not UTF-8")


def _checked(row: dict[str, Any], where: Callable[[int], str], number: int) -> Row | BadRow:
    try:
        for name, value in row.items():
            if type(value) is str:
                if "\0" in value:
                    raise Unparsable("nul", "it has a NUL character")
            elif type(value) is not int:
                row[name] = json_value(value)
    except Unparsable as failure:
        return BadRow(failure.kind, where(number), failure.problem)
    return row


def json_value(value: Any) -> Json:
    """A value of Arrow's as JSON has it: times and decimals as text, NaN (how pandas writes "none") as null.

    Raises Unparsable for infinity and for text with a NUL.
    """
    if isinstance(value, str):
        if problem := unusable_text(value):
            raise Unparsable(*problem)
        return value
    if isinstance(value, float):
        if math.isinf(value):
            raise Unparsable("wrong-type", "it has a number that is infinite")
        return None if math.isnan(value) else value
    if isinstance(value, dict):
        return {str(name): json_value(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(part) for part in value]
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return value if value is None or isinstance(value, bool | int) else str(value)


def media_columns(schema: "Schema") -> Mapping[str, str]:
    """Columns that hold bytes somewhere: name -> "images", "audio", "video" or "bytes"."""
    return {field.name: _named(schema, field.name) for field in schema if _holds_bytes(field.type)}


def _named(schema: "Schema", column: str) -> str:
    """What the Hub's own description of the columns calls it."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        described = json.dumps(features[column])
    except (KeyError, ValueError, TypeError):
        return "bytes"
    kinds = {"Image": "images", "Audio": "audio", "Video": "video"}
    return next((word for kind, word in kinds.items() if f'"_type": "{kind}"' in described), "bytes")


def _holds_bytes(kind: "DataType") -> bool:
    from pyarrow import types

    if types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind):
        return True
    if types.is_dictionary(kind):
        return _holds_bytes(kind.value_type)
    return any(_holds_bytes(kind.field(each).type) for each in range(kind.num_fields))
