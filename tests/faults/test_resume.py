"""A run that was killed and resumed is the run that was never killed: same completions, metrics and adapter bytes."""

import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from engine_support import grouper
from faults_support import left_of, log_of, newest, wait_for_end, wait_for_log
from runs_support import STEPS, contents, resume, start
from tiny_support import save_tiny

from core.records.run import Run
from core.records.status import RunStatus
from core.settings import Settings
from core.store import open_database
from core.store.runs import queries

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="module")
def whole(model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The run that nobody disturbed."""
    settings, run = start(tmp_path_factory.mktemp("whole"), model)
    assert wait_for_end(settings).status is RunStatus.COMPLETED, log_of(settings, run)[-3000:]
    return contents(settings, run)


def same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert found["steps"] == expected["steps"]
    assert found["sampled"] == expected["sampled"]
    assert found["metrics"] == expected["metrics"]
    assert found["adapter"] == expected["adapter"]


def kill(settings: Settings, run: Run) -> Run:
    process = newest(settings).process
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    ended = wait_for_end(settings)
    assert ended.status in (RunStatus.LOST, RunStatus.FAILED)
    assert left_of(ended) == []
    return ended


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.long)])
def test_killed_at_random_moments_and_resumed(model: Path, whole: dict[str, Any], tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    settings, run = start(tmp_path / "home", model)
    for _ in range(2):
        target = chance.randint(max(1, newest(settings).step), STEPS - 2)
        wait_for_log(settings, run, f"step {target}/{STEPS}")
        time.sleep(chance.uniform(0.0, 0.3))
        if newest(settings).status.is_final:
            break
        kill(settings, run)
        resume(settings, run)
    ended = wait_for_end(settings)
    assert ended.status is RunStatus.COMPLETED, log_of(settings, run)[-3000:]
    assert ended.attempt >= 2
    same(contents(settings, run), whole)


def test_stopped_and_extended(model: Path, whole: dict[str, Any], tmp_path: Path) -> None:
    """Steps 1-5 stopped in good order, then on to the end: the schedule of learning rates is the whole run's."""
    settings, run = start(tmp_path / "home", model)
    wait_for_log(settings, run, f"step 4/{STEPS}")
    assert grouper(settings.home, "stop", run.id).returncode == 0
    stopped = wait_for_end(settings)
    if stopped.status is RunStatus.COMPLETED:
        pytest.skip("the run was over before it could be stopped")
    assert stopped.status is RunStatus.STOPPED
    resume(settings, run)
    assert wait_for_end(settings).status is RunStatus.COMPLETED
    same(contents(settings, run), whole)
    refused = grouper(settings.home, "resume", run.id)
    assert refused.returncode == 2
    assert "all done" in refused.stderr
    resume(settings, run, "--steps", str(STEPS + 2))
    assert (wait_for_end(settings).status, newest(settings).step) == (RunStatus.COMPLETED, STEPS + 2)


def test_a_damaged_checkpoint_is_passed_over(model: Path, whole: dict[str, Any], tmp_path: Path) -> None:
    settings, run = start(tmp_path / "home", model)
    wait_for_log(settings, run, f"step 7/{STEPS}")
    ended = kill(settings, run)
    folders = sorted((settings.run_folder(run.id) / "checkpoints").glob("step-*"))
    folders = [folder for folder in folders if not folder.name.endswith(".partial")]
    assert len(folders) >= 2
    spoiled = folders[-1] / "training.safetensors"
    content = bytearray(spoiled.read_bytes())
    content[-1] ^= 1
    spoiled.write_bytes(content)
    shutil.copytree(folders[0], folders[0].with_name("step-000099.partial"))  # as a crash while writing leaves it
    resume(settings, run)
    assert wait_for_end(settings).status is RunStatus.COMPLETED, log_of(settings, run)[-3000:]
    same(contents(settings, run), whole)
    database = open_database(settings.database_url)
    with database.reading() as connection:
        said = [event.message for event in queries.list_events(connection, run.id)]
        kept = queries.list_checkpoints(connection, run.id)
    database.close()
    assert any(f"{folders[-1].name} is damaged (training.safetensors" in message for message in said)
    step = int(folders[-2].name.removeprefix("step-"))
    assert f"Attempt 2 goes on from the checkpoint of step {step}." in said
    assert not [*(settings.run_folder(run.id) / "checkpoints").glob("*.partial")]
    assert [one.step for one in kept][-3:] == [6, 9, 12]
    assert all(Path(one.path).is_dir() for one in kept)
    assert ended.step >= 7


@pytest.mark.long
def test_with_the_engine_attached_too(make_home: Callable[[str], Settings]) -> None:
    """The built-in model sampled by vLLM: the engine's own state is none that a run depends on."""
    changes: dict[str, Any] = {"fast_inference": "on", "steps": 6, "save_steps": 2, "prompts_per_step": 2}
    runs = []
    for name, disturbed in (("whole", False), ("killed", True)):
        settings = make_home(name)
        _, run = start(settings.home, Path("smollm2-135m"), **changes)
        if disturbed:
            wait_for_log(settings, run, "step 5/6")
            kill(settings, run)
            resume(settings, run)
        assert wait_for_end(settings).status is RunStatus.COMPLETED, log_of(settings, run)[-3000:]
        runs.append(contents(settings, run))
    same(runs[1], runs[0])
