"""A rewards.py that never comes back, in a run whose worker is killed meanwhile, at every level of protection."""

import json
import os
import signal
import time
from pathlib import Path

import psutil
import pytest
from engine_support import grouper
from faults_support import newest, wait_for_end
from own_runs_support import WITHOUT, Bench
from own_support import TASK, make_task
from sandbox_support import HOSTILE, every_level, left_over
from tiny_support import save_tiny

from core.records.status import RunStatus
from core.tasks.sandbox.enclosure import SANDBOX
from core.tasks.sandbox.levels import Level

pytestmark = [pytest.mark.engine, pytest.mark.long, pytest.mark.timeout(600)]
REWARD = '[[reward]]\npython = "rewards.py:reward"\n'


def wait_for_child(bench: Bench) -> int:
    """The worker's number, once a child of its is at work."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        process = newest(bench.settings).process
        if process is not None and psutil.pid_exists(process.pid):
            commands = [child.cmdline() for child in psutil.Process(process.pid).children(recursive=True)]
            if any(str(SANDBOX / "child.py") in command for command in commands):
                return process.pid
        time.sleep(0.05)
    pytest.fail("no child was started")


@every_level
def test_nothing_outlives_a_killed_worker_and_the_run_ends_with_the_cause(level: Level, tmp_path: Path) -> None:
    bench = Bench(tmp_path / "home", save_tiny(tmp_path / "model"))
    folder = tmp_path / "hostile"
    make_task(folder, TASK[: TASK.index("[[reward]]")] + REWARD, (HOSTILE / "infinite_loop.py").read_text("utf-8"))
    bench.approve(folder, "--unprotected")
    launched = bench.launch(folder, level=level, wait=False, prompts_per_step=1, group_size=2)
    assert launched.returncode == 0, launched.stderr
    worker = wait_for_child(bench)
    time.sleep(1.0)  # by then it is in its loop
    os.kill(worker, signal.SIGKILL)
    assert left_over() == []
    killed = wait_for_end(bench.settings)
    result = grouper(bench.home, "resume", killed.id, "--wait", "--json", lacking=WITHOUT[level])
    assert result.returncode == 1, result.stderr[-3000:]
    left = bench.left(json.loads(result.stdout)["run"])
    assert (left.run.status, left.run.attempt) == (RunStatus.FAILED, 2)
    assert left.run.failure is not None
    assert left.run.failure.kind == "scoring"
    assert "took longer than 2 s and was ended" in left.run.failure.message
    assert left.run.facts["sandbox"] == level.name
    assert left.errors("reward") == ["took longer than 2 s and was ended"] * 6
    assert left_over() == []
