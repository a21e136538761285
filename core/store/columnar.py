"""Completions once more, by columns, for questions that no index answers.

Two filters that much passes may together leave nothing, and then every completion has to be looked at. A row costs
SQLite a third of a microsecond; a number among its like costs a hundredth of that. So whenever a run has ROWS more
completions, their columns are packed into a segment: one blob a column, with its smallest and largest value beside it,
by which whole segments are passed over. Segments are copies, made anew where steps are sampled again. What is in no
segment yet, the rest, is read from `completions` itself.
"""

import itertools
import operator
import struct
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import sqlalchemy as sa

from core.insights.reward_hacking import KINDS
from core.store.schema import SCORE_COLUMNS, blocks, completions, evidence, groups

ROWS = 8192
WHOLE = ("id", "step", "group", "length", "flat", "evidence")  # the last as `evidence_bit` says
NUMBERS = ("reward", "advantage", *(f"score_{place}" for place in range(1, SCORE_COLUMNS + 1)))
NAMES = (*WHOLE, "finish_reason", *NUMBERS)
INTEGERS, FLOATS = ("<u1", "<u2", "<u4", "<i8"), ("<f2", "<f4", "<f8")
HEAD = struct.Struct("<8sq")  # how numpy names the type of the items, and what to add to each
Array = np.ndarray[Any, np.dtype[Any]]
Columns = Mapping[str, Array]  # of a stretch of completions, by NAMES; a number that is not there is NaN
Bounds = tuple[float | None, float | None]


def seal(connection: sa.Connection, run: int, rows: int = ROWS) -> None:
    """Packs what the run has gathered since its last segment, as far as it fills segments of so many rows."""
    while True:
        waiting = sa.select(completions.c.id).with_hint(completions, "INDEXED BY completions_run", "sqlite")
        waiting = waiting.where(completions.c.run == run, completions.c.id > sealed(connection, run))
        waiting = waiting.order_by(completions.c.id)
        last = connection.execute(waiting.offset(rows - 1).limit(1)).scalar()
        if last is None:
            return
        query = sa.select(*_columns(NAMES)).order_by(completions.c.id)
        found = connection.execute(query.where(completions.c.id.in_(waiting.limit(rows)))).fetchall()
        made = [
            {"run": run, "upto": last, "name": name, **_encode(name, values)}
            for name, values in zip(NAMES, zip(*found, strict=True), strict=True)
        ]
        # A score that nobody has needs no column.
        connection.execute(
            sa.insert(blocks), [row for row in made if row["low"] is not None or "score" not in row["name"]]
        )


def evidence_bit(kind: str) -> int:
    """What this kind adds to a completion's number in the column `evidence`."""
    return 1 << list(KINDS).index(kind)


def _columns(names: Iterable[str]) -> list[Any]:
    return [_noticed() if name == "evidence" else completions.c[name] for name in names]


def _noticed() -> sa.ScalarSelect[int]:
    each = sa.case({kind: evidence_bit(kind) for kind in KINDS}, value=evidence.c.kind, else_=0)
    found = sa.select(sa.func.coalesce(sa.func.sum(each), 0)).where(evidence.c.completion == completions.c.id)
    return found.correlate(completions).scalar_subquery()


def sealed(connection: sa.Connection, run: int) -> int:
    """The id up to which a run's completions are in segments; 0 where none is."""
    query = sa.select(sa.func.max(blocks.c.upto)).where(blocks.c.run == run)
    return connection.execute(query).scalar() or 0


def forget(connection: sa.Connection, run: int, step: int) -> None:
    """Drops the segments that hold this step and all after it, before its completions go."""
    first = sa.select(sa.func.min(completions.c.id)).join_from(completions, groups)
    first = first.where(groups.c.run == run, groups.c.step == step)
    connection.execute(sa.delete(blocks).where(blocks.c.run == run, blocks.c.upto >= first.scalar_subquery()))


def read(
    connection: sa.Connection, run: int, names: Collection[str], bounds: Mapping[str, Bounds], descending: bool
) -> Iterator[Columns]:
    """These columns of a run, one of WHOLE among them, segment by segment, less those with nothing within the
    bounds.
    """
    query = sa.select(blocks.c.upto, blocks.c.name, blocks.c.packed)
    query = query.where(blocks.c.run == run, blocks.c.name.in_(sorted(names)))
    for name, (low, high) in bounds.items():
        within = sa.select(blocks.c.upto).where(blocks.c.run == run, blocks.c.name == name)
        within = within if low is None else within.where(blocks.c.high >= low)
        within = within if high is None else within.where(blocks.c.low <= high)
        query = query.where(blocks.c.upto.in_(within))
    rows = connection.execute(query.order_by(blocks.c.upto.desc() if descending else blocks.c.upto))
    for _, block in itertools.groupby(rows, operator.itemgetter(0)):
        there = {name: _decode(packed) for _, name, packed in block}
        nothing = np.full(len(next(iter(there.values()))), np.nan)
        yield {name: there.get(name, nothing) for name in names}


def read_rest(connection: sa.Connection, run: int, names: Sequence[str]) -> Columns:
    """The same columns of what is in no segment: at most a segment full."""
    query = sa.select(*_columns(names)).with_hint(completions, "INDEXED BY completions_run", "sqlite")
    query = query.where(completions.c.run == run, completions.c.id > sealed(connection, run))
    found = connection.execute(query.order_by(completions.c.id)).fetchall()
    values = zip(*found, strict=True) if found else ((),) * len(names)
    return {name: _array(name, each) for name, each in zip(names, values, strict=True)}


def _encode(name: str, values: Sequence[Any]) -> dict[str, Any]:
    """{low, high, packed}; in the narrowest items that hold every value exactly."""
    array = _array(name, values)
    if name == "finish_reason":
        return _encoded(array, 0)
    if name in WHOLE:
        base = int(array.min()) if len(array) else 0
        return {**_encoded(_narrowest(array - base, INTEGERS), base), **_zone(array)}
    return {**_encoded(_narrowest(array, FLOATS), 0), **_zone(array[~np.isnan(array)])}


def _array(name: str, values: Sequence[Any]) -> Array:
    """A column as its values are compared; None becomes NaN."""
    if name == "finish_reason":
        return np.array([value.encode() for value in values], dtype=bytes)
    return np.array(values, dtype=np.int64 if name in WHOLE else np.float64)


def _narrowest(values: Array, kinds: Sequence[str]) -> Array:
    with np.errstate(over="ignore"):
        tried = (values.astype(kind) for kind in kinds)
        return next(each for each in tried if np.array_equal(each.astype(values.dtype), values, equal_nan=True))


def _zone(values: Array) -> dict[str, float | None]:
    return {"low": float(values.min()), "high": float(values.max())} if len(values) else {"low": None, "high": None}


def _encoded(items: Array, base: int) -> dict[str, Any]:
    return {"low": None, "high": None, "packed": HEAD.pack(items.dtype.str.encode(), base) + items.tobytes()}


def _decode(packed: bytes) -> Array:
    kind, base = HEAD.unpack_from(packed)
    items = np.frombuffer(packed, dtype=kind.rstrip(b"\0").decode(), offset=HEAD.size)
    if items.dtype.kind == "S":
        return items
    # As wide as SQLite's own, or comparisons would be made with three digits.
    return items.astype(np.float64) if items.dtype.kind == "f" else items.astype(np.int64) + base
