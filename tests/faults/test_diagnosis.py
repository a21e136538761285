"""Each diagnosis provoked for real: it names its cause and what to do."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from engine_support import grouper
from faults_support import left_of, log_of, newest, wait_for_end
from runs_support import VALUES, start
from tiny_support import save_tiny

from core.records.status import RunStatus
from core.settings import PROJECT, Settings, load_settings

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]
MEMORY = Path("/sys/fs/cgroup/memory")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture
def small_group() -> Iterator[Path]:
    """A control group whose processes may hold 450 MiB: enough for the command line, not for a worker."""
    group = MEMORY / f"grouper-test-{os.getpid()}"
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(450 * 2**20), encoding="ascii")
    except OSError:
        pytest.skip("this user may not make control groups")
    yield group
    group.rmdir()


def test_a_worker_that_the_system_ends_for_memory(model: Path, tmp_path: Path, small_group: Path) -> None:
    assignments = [part for name, value in VALUES.items() for part in ("--set", f"{name}={value}")]
    launch = ["launch", "--recipe", "addition", "--model", str(model), "--gpu", "cpu", *assignments]
    inside = f'echo $$ > {small_group}/cgroup.procs; exec "$0" -m core "$@"'
    result = subprocess.run(
        ["sh", "-c", inside, sys.executable, *launch],
        cwd=PROJECT,
        env={**os.environ, "GROUPER_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    settings = load_settings({"GROUPER_HOME": str(tmp_path)})
    ended = wait_for_end(settings)
    assert ended.status in (RunStatus.LOST, RunStatus.FAILED)
    assert ended.failure is not None
    assert ended.failure.kind == "out-of-memory-host", (ended.failure, log_of(settings, ended)[-1000:])
    assert "for memory" in ended.failure.message
    assert "Lower rank" in ended.failure.remedy
    assert left_of(ended) == []


def test_an_engine_that_cannot_start(prepared: Settings) -> None:
    """More KV cache than the machine has memory, by somebody who insisted."""
    arguments = ["launch", "--recipe", "addition", "--model", "smollm2-135m", "--gpu", "cpu", "--insist"]
    result = grouper(prepared.home, *arguments, "--set", "kv_cache_gib=1000", "--steps", "1")
    assert result.returncode == 0, result.stderr
    ended = wait_for_end(prepared)
    assert ended.status is RunStatus.FAILED
    assert ended.failure is not None
    assert ended.failure.kind == "kv-cache-too-large", ended.failure
    assert "kv_cache_gib" in ended.failure.remedy
    assert left_of(ended) == []


def test_a_data_set_that_is_not_what_it_should_be(model: Path, tmp_path: Path) -> None:
    """A file of something else under the name of the recipe's data."""
    data = tmp_path / "train.jsonl"
    data.write_text('{"text": "no question here"}\n', encoding="utf-8")
    home = tmp_path / "home"
    result = grouper(
        home, "launch", "--recipe", "gsm8k", "--model", str(model), "--gpu", "cpu", "--fast-inference", "off", "--set",
        f"dataset={data}", "--rank", "8", "--steps", "1",
    )  # fmt: skip
    if result.returncode == 2:  # refused before anything was loaded: as good
        assert "dataset" in result.stderr
        return
    settings = load_settings({"GROUPER_HOME": str(home)})
    ended = wait_for_end(settings)
    assert ended.status is RunStatus.FAILED
    assert ended.failure is not None
    assert ended.failure.kind == "invalid-input", ended.failure
    assert "dataset" in ended.failure.message


def test_a_model_folder_that_vanishes(model: Path, tmp_path: Path) -> None:
    gone = shutil.copytree(model, tmp_path / "gone")
    settings, run = start(tmp_path / "home", gone)
    shutil.rmtree(gone)
    ended = wait_for_end(settings)
    if ended.status is RunStatus.COMPLETED:
        pytest.skip("the worker had read everything by then")
    assert ended.failure is not None
    assert ended.failure.message
    assert newest(settings).id == run.id
