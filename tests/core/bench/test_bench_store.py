"""The store that measurements are made on: what is copied into it is like what was recorded."""

import random
from pathlib import Path

import pytest

from core.bench.filling import filled
from core.bench.questions import ASKED
from core.store import integrity, open_database
from core.store.rollouts.load import list_groups
from core.store.runs import queries
from core.store.search.filter import CompletionFilter
from core.store.search.query import evidence_counts, list_completions, overview


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bench") / "store.db"


def test_a_large_store_is_made_of_a_small_one(path: Path) -> None:
    run_id = filled(path, 600, most_fresh=320)
    assert filled(path, 320, most_fresh=320) == run_id  # nothing is missing
    assert filled(path, 1000, most_fresh=320) == run_id  # and a kept one grows
    database = open_database(f"sqlite:///{path}")
    with database.reading() as connection:
        run = queries.get_run(connection, run_id)
        seen = overview(connection, run_id, CompletionFilter())
        first, copied = (list_groups(connection, run_id, step, with_tokens=True) for step in (1, 11))
        marked, _ = list_completions(connection, run_id, CompletionFilter(search="mark1*", limit=1000))
        noticed = evidence_counts(connection, run_id)
        kinds = {kind: overview(connection, run_id, CompletionFilter(evidence=kind)).count for kind in noticed}
    assert (run.step, seen.count) == (32, 1024)
    assert run.status.is_final  # a dashboard over it starts no worker
    assert [group.prompt for group in first] == [group.prompt for group in copied]
    for one, other in zip(
        (each for group in first for each in group.completions),
        (each for group in copied for each in group.completions),
        strict=True,
    ):
        assert (one.reward, one.scores, one.token_ids, one.evidence) == (
            other.reward,
            other.scores,
            other.token_ids,
            other.evidence,
        )
        assert other.text == one.text.replace(" mark", " mark1")
    assert any(one.step > 10 for one in marked)
    assert noticed == kinds
    assert noticed
    assert integrity.problems(database) == []
    database.close()


@pytest.mark.parametrize("kind", list(ASKED))
def test_its_questions_can_be_asked(path: Path, kind: str) -> None:
    filled(path, 320, most_fresh=320)
    database = open_database(f"sqlite:///{path}")
    chance = random.Random(kind)
    with database.reading() as connection:
        run_id = queries.list_runs(connection)[0].id
        for _ in range(20):
            list_completions(connection, run_id, ASKED[kind](chance, 1000))
    database.close()
