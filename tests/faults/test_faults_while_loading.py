"""Killing, breaking or filling the disk while a run loads leaves no process and no half-written model."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from engine_support import grouper
from faults_support import half_written, home_with, launch, left_of, log_of, wait_for_end, wait_for_log

from core.records.status import RunStatus
from core.settings import PROJECT, Settings, load_settings

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]
TRIED_PHASES = ("start engine",)
OTHER_PHASES = (
    "prove adapter live",
    "find model",
    "read weights",
    "attach adapter",
    "hash base weights",
    "prepare data",
    "try packing",
)
PHASES = (*TRIED_PHASES, *(pytest.param(phase, marks=pytest.mark.long) for phase in OTHER_PHASES))
MIB = 2**20


@pytest.mark.parametrize("phase", PHASES)
def test_a_worker_killed_while_it_loads_leaves_nothing(prepared: Settings, phase: str) -> None:
    run = launch(prepared, "--steps", "1")
    wait_for_log(prepared, run, f"{phase}: about")
    assert run.process is not None
    os.kill(run.process.pid, signal.SIGKILL)
    ended = wait_for_end(prepared)
    assert ended.status in (RunStatus.LOST, RunStatus.FAILED)
    assert ended.failure is not None
    assert str(run.process.pid) in ended.failure.message
    assert left_of(run) == []
    assert half_written(prepared) == []


@pytest.mark.long
def test_a_killed_conversion_is_swept_and_made_again(tmp_path: Path) -> None:
    settings = load_settings({"GROUPER_HOME": str(tmp_path)})
    run = launch(settings, "--steps", "1")
    wait_for_log(settings, run, "find model: about")
    while not half_written(settings):
        pass
    assert run.process is not None
    os.kill(run.process.pid, signal.SIGKILL)
    wait_for_end(settings)
    assert half_written(settings) != []
    assert left_of(run) == []
    assert grouper(settings.home, "prepare").returncode == 0
    assert half_written(settings) == []
    manifest = json.loads((settings.models / "smollm2-135m" / "grouper-manifest.json").read_text(encoding="utf-8"))
    assert "model.safetensors" in manifest["files"]


@pytest.mark.parametrize("phase", ["start engine", pytest.param("try packing", marks=pytest.mark.long)])
def test_a_worker_told_to_terminate_while_it_loads_stops(prepared: Settings, phase: str) -> None:
    run = launch(prepared, "--steps", "100")
    wait_for_log(prepared, run, f"{phase}: about")
    assert run.process is not None
    os.kill(run.process.pid, signal.SIGTERM)
    ended = wait_for_end(prepared)
    assert (ended.status, ended.step) == (RunStatus.STOPPED, 0)
    assert left_of(run) == []
    assert half_written(prepared) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 900 MiB, mounted for real."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=900m", "tmpfs", folder], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("this user may not mount a file system")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_disk_that_fills_while_the_model_is_converted(small_disk: Path) -> None:
    settings = load_settings({"GROUPER_HOME": str(small_disk / "home")})
    settings.home.mkdir()
    run = launch(settings, "--steps", "1")
    free = shutil.disk_usage(small_disk).free
    (small_disk / "filler").write_bytes(bytes(free - 40 * MIB))
    ended = wait_for_end(settings)
    assert ended.status is RunStatus.FAILED, log_of(settings, run)[-2000:]
    assert ended.failure is not None
    assert ended.failure.kind == "disk-full", ended.failure
    assert "GROUPER_HOME" in ended.failure.remedy
    assert left_of(run) == []
    assert half_written(settings) == []
    assert not (settings.models / "smollm2-135m").exists()


def broken_copy(source: Path, folder: Path, content: bytes) -> Path:
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    (folder / "model.safetensors").write_bytes(content)
    return folder


@pytest.mark.parametrize(
    "damage", ["noise", *(pytest.param(kind, marks=pytest.mark.long) for kind in ("cut", "empty"))]
)
def test_a_corrupt_weight_file_is_named_before_anything_is_loaded(
    prepared: Settings, converted: Path, tmp_path: Path, damage: str
) -> None:
    whole = (converted / "smollm2-135m" / "model.safetensors").read_bytes()
    content = {"cut": whole[: 100 * MIB], "empty": b"", "noise": bytes(range(256)) * 4096}[damage]
    folder = broken_copy(converted / "smollm2-135m", tmp_path / "broken", content)
    run = launch(prepared, "--steps", "1", model=str(folder))
    ended = wait_for_end(prepared)
    assert ended.status is RunStatus.FAILED
    assert ended.failure is not None
    assert ended.failure.kind == "model-corrupt"
    assert "model.safetensors" in ended.failure.message
    assert "start engine" not in log_of(prepared, run)
    assert left_of(run) == []


@pytest.mark.long
def test_a_damaged_conversion_is_made_again(converted: Path, tmp_path: Path) -> None:
    settings = home_with(converted, tmp_path / "home")
    weights = settings.models / "smollm2-135m" / "model.safetensors"
    whole = weights.read_bytes()
    weights.unlink()  # a link to the file that other tests use
    weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    environment = {**os.environ, "GROUPER_HOME": str(settings.home)}
    subprocess.run([sys.executable, "-m", "core.worker.prepare"], cwd=PROJECT, env=environment, check=True)
    assert weights.read_bytes() == whole
