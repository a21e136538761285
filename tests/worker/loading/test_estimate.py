"""How long loading will take: measured here before, or guessed from the weights."""

from pathlib import Path

from core.config import RunConfig, make_config
from core.records.run import LoadPhase
from core.store import Database
from core.store.rollouts.record import record_load_phase
from core.store.runs import lifecycle, queries
from core.worker.loading.estimate import FIRST, expected_seconds
from core.worker.loading.progress import Progress


def config(**values: object) -> RunConfig:
    return make_config({"model": "smollm2-135m", "recipe": "addition", **values})


def test_the_first_load_is_guessed_from_the_weights(tmp_path: Path) -> None:
    small = expected_seconds(config(), [], tmp_path, 270e6)
    large = expected_seconds(config(), [], tmp_path, 14e9)
    assert list(small) == list(FIRST)
    assert 10 < small["start engine"] < 20 < large["start engine"]
    assert expected_seconds(config(fast_inference="off"), [], tmp_path, 270e6)["start engine"] < 1
    assert expected_seconds(config(quantization="nf4"), [], tmp_path, 1e9)["read weights"] > small["read weights"]
    assert expected_seconds(config(), [], tmp_path / "missing", 270e6)["find model"] > 10


def test_later_loads_are_expected_to_take_the_median(database: Database, tmp_path: Path) -> None:
    def load(seconds: float, **values: object) -> None:
        with database.writing() as connection:
            run = lifecycle.enqueue(connection, config(**values))
            record_load_phase(connection, run.id, LoadPhase("start engine", seconds))
            lifecycle.update(connection, run.id, engine="vllm")

    for seconds in (11.0, 13.0, 40.0):
        load(seconds)
    load(99.0, quantization="nf4")
    load(1.0, model="other")
    with database.writing() as connection:
        run = lifecycle.enqueue(connection, config(rank=8, steps=3))
        earlier = queries.earlier_loads(connection, run)
    assert len(earlier) == 3
    expected = expected_seconds(run.config, earlier, tmp_path, 270e6)
    assert expected["start engine"] == 13.0
    assert list(expected) == list(FIRST)


def test_progress_announces_measures_and_may_be_ended() -> None:
    begun: list[str] = []
    done: list[LoadPhase] = []
    progress = Progress(begun.append, done.append, {"read weights": 2.0})
    with progress.phase("read weights"):
        assert begun == ["read weights"]
        assert done == []
    assert done[0].name == "read weights"
    assert done[0].memory_bytes > 0
