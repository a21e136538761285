"""Ids that another index knows, read a stretch at a time as the segments of a run ask for them.

A common word is in millions of completions. To list them all takes a second and much memory, and a page may be full
after the first segment.
"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import sqlalchemy as sa

from core.store.columnar import Array

STRETCH = 2**16  # ids that are asked for at a time
MOST_STRETCHES = 8  # values further apart than so many are asked for at once
SPARSE = 64  # a table of so many places for each value is still small

Between = Callable[[int, int], sa.Select[Any]]


class IndexedIds:
    """The ids that `between(first, last)` finds; the stretches read last are kept."""

    def __init__(self, connection: sa.Connection, between: Between) -> None:
        self._read = functools.lru_cache(MOST_STRETCHES)(lambda low, high: sorted_ids(connection, between(low, high)))

    def has(self, values: Array) -> Array:
        """For each value whether it is among them."""
        if not len(values):
            return np.zeros(0, bool)
        low, high = int(values.min()), int(values.max())
        first, last = low // STRETCH, high // STRETCH
        if last - first >= MOST_STRETCHES:
            return is_in(values, self._read(low, high))
        stretches = [self._read(place * STRETCH, (place + 1) * STRETCH - 1) for place in range(first, last + 1)]
        return is_in(values, np.concatenate(stretches))


def sorted_ids(connection: sa.Connection, ids: sa.Select[Any]) -> Array:
    """What a query of one column finds; as one text, since row by row takes ten times as long."""
    text = connection.execute(sa.select(sa.func.group_concat(ids.subquery().c[0]))).scalar()
    return np.sort(np.fromstring(text, dtype=np.int64, sep=",")) if text else np.empty(0, np.int64)


def is_in(values: Array, known: Array) -> Array:
    """For each value whether it is among the known ones, which are sorted."""
    if not len(values):
        return np.zeros(0, bool)
    low, high = int(values.min()), int(values.max())
    near = known[slice(*np.searchsorted(known, (low, high + 1)))]
    if high - low > SPARSE * len(values):
        return np.isin(values, near)
    there = np.zeros(high - low + 1, bool)
    there[near - low] = True
    return there[values - low]
