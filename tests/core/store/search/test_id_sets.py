"""Ids read a stretch at a time are the same as all of them read at once."""

import random

import numpy as np
import pytest
import sqlalchemy as sa

from core.store.search.id_sets import MOST_STRETCHES, STRETCH, IndexedIds, is_in, sorted_ids

MEMBERS = sa.Table("members", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True))


@pytest.mark.parametrize("spread", [10, 1000, 10**12])
def test_what_is_among_the_known(spread: int) -> None:
    chance = random.Random(spread)
    known = np.unique(np.array([chance.randrange(spread) for _ in range(300)]))
    values = np.array([*(chance.randrange(spread) for _ in range(300)), *chance.choices(known.tolist(), k=20)])
    assert is_in(values, known).tolist() == np.isin(values, known).tolist()
    assert not is_in(values, np.empty(0, np.int64)).any()
    assert is_in(np.empty(0, np.int64), known).tolist() == []


def test_stretches_are_read_once_and_miss_nothing() -> None:
    chance, asked = random.Random(0), []
    ids = sorted(chance.sample(range(4 * STRETCH * MOST_STRETCHES), 3000))
    engine = sa.create_engine("sqlite://")
    with engine.connect() as connection:
        MEMBERS.create(connection)
        connection.execute(sa.insert(MEMBERS), [{"id": each} for each in ids])

        def between(low: int, high: int) -> sa.Select[tuple[int]]:
            asked.append((low, high))
            return sa.select(MEMBERS.c.id).where(MEMBERS.c.id.between(low, high))

        listed = IndexedIds(connection, between)
        for start in (0, 10, STRETCH - 5, 3 * STRETCH - 100):  # within a stretch and across two
            values = np.arange(start, start + 200)
            assert listed.has(values).tolist() == np.isin(values, ids).tolist()
        assert len(asked) == 4
        apart = np.array([ids[0], ids[-1], ids[0] + 1, ids[1500]])  # a run that went on after many others
        assert listed.has(apart).tolist() == np.isin(apart, ids).tolist()
        assert asked[-1] == (ids[0], ids[-1])
        assert sorted_ids(connection, between(0, ids[9])).tolist() == ids[:10]
    engine.dispose()
