"""Every completion of a run against every filter: segments by their columns, and by SQL what is in no segment yet."""

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import sqlalchemy as sa

from core.insights.reward_hacking import KINDS
from core.store import columnar
from core.store.columnar import Array, Bounds
from core.store.schema import evidence
from core.store.search.conditions import Condition


def best(
    connection: sa.Connection,
    run: int,
    asked: Sequence[Condition],
    key: str,
    descending: bool,
    after: tuple[float | None, int] | None,
    limit: int,
    unvalued: bool = False,
) -> list[tuple[int, float | None]]:
    """(id, value) of the first `limit` that match, by value and id.

    key       the column to sort by; "id" for the id alone
    after     only what comes after this (value, id); None: from the start
    unvalued  only those without a value, by id
    """
    sign = -1 if descending else 1  # what is turned round is sorted upwards
    by_id = unvalued or key == "id"
    bounds: dict[str, Bounds] = {}
    if after is not None and by_id:
        bounds["id"] = (None, after[1]) if descending else (after[1], None)
    kept, values_kept = np.empty(0, np.int64), np.empty(0)
    for found, its_values in matching(connection, run, asked, key, descending, bounds):
        ids, values = sign * found, sign * its_values
        if key != "id":
            valued = np.isnan(values) == unvalued
            ids, values = ids[valued], values[valued]
        values = np.zeros(len(ids)) if by_id else values
        if after is not None:
            value, last = 0.0 if by_id or after[0] is None else sign * after[0], sign * after[1]
            beyond = (values > value) | ((values == value) & (ids > last))
            ids, values = ids[beyond], values[beyond]
        if len(kept) == limit:  # a stretch comes after those before it, so that equal values are too late
            better = values < values_kept[-1]
            ids, values = ids[better], values[better]
        ids, values = np.concatenate([kept, ids]), np.concatenate([values_kept, values])
        order = np.lexsort((ids, values))[:limit]
        kept, values_kept = ids[order], values[order]
        if by_id and len(kept) == limit:
            break
    ids_found = (sign * kept).tolist()
    if by_id:
        return [(each, None if unvalued else each) for each in ids_found]
    return list(zip(ids_found, (sign * values_kept).tolist(), strict=True))


def matching(
    connection: sa.Connection,
    run: int,
    asked: Sequence[Condition],
    key: str,
    descending: bool = False,
    bounds: Mapping[str, Bounds] | None = None,
) -> Iterator[tuple[Array, Array]]:
    """(ids, values of `key`) of all that match, in stretches along the ids. `bounds` may let some of the rest out."""
    names = sorted({"id", key, *(name for condition in asked for name in condition.names)})
    within = {name: each for condition in asked for name, each in condition.bounds.items()} | dict(bounds or {})
    packed = columnar.read(connection, run, names, within, descending)
    rest = (columnar.read_rest(connection, run, names) for _ in range(1))  # read when its turn comes
    for columns in itertools.chain(rest, packed) if descending else itertools.chain(packed, rest):
        passed = np.ones(len(columns["id"]), bool)
        for condition in asked:
            passed &= condition.test(columns)
            if not passed.any():
                break
        else:
            yield columns["id"][passed], columns[key][passed]


def evidence_counts(connection: sa.Connection, run: int) -> Counter[str]:
    """How many completions were noticed, by kind."""
    bits = {kind: columnar.evidence_bit(kind) for kind in KINDS}
    together = np.zeros(2 ** len(KINDS), np.int64)  # how often each set of kinds was found
    for columns in columnar.read(connection, run, ("evidence",), {}, descending=False):
        together += np.bincount(columns["evidence"], minlength=len(together))
    found = Counter({kind: int(together[np.arange(len(together)) & bit > 0].sum()) for kind, bit in bits.items()})
    query = sa.select(evidence.c.kind, sa.func.count()).group_by(evidence.c.kind)
    query = query.where(evidence.c.run == run, evidence.c.kind.in_(list(KINDS)))  # named, so that the key is used
    query = query.where(evidence.c.completion > columnar.sealed(connection, run))
    return found + Counter({kind: count for kind, count in connection.execute(query)})
