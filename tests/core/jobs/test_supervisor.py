"""Workers that die or hang: the run gets its reason, what was started is ended, and nothing foreign is touched."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest

from core.config import make_config
from core.jobs import submission, supervisor
from core.jobs.postmortem import diagnose_exit
from core.jobs.resume import can_resume
from core.jobs.supervisor import tick
from core.processes import Process, end, family, identify, oom_counter, oom_kills
from core.records.run import Run
from core.records.status import RunStatus
from core.settings import RUN_TOKEN, Settings
from core.store import Database
from core.store.runs import lifecycle, queries

CONFIG = make_config({"model": "smollm2-135m", "recipe": "addition"})
QUICK = supervisor.Limits(patience_s=0.3)
# A worker that listens to nothing, with a child of its own.
STUBBORN = (
    "import signal, subprocess, sys, time\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
    "print('ready', flush=True)\n"
    "time.sleep(60)\n"
)


@pytest.fixture
def worker(database: Database, settings: Settings) -> Iterator[tuple[Run, subprocess.Popen[str]]]:
    """A run whose worker is a stubborn process."""
    with database.writing() as connection:
        run = lifecycle.enqueue(connection, CONFIG)
    environment = {**os.environ, RUN_TOKEN: run.id}
    process = subprocess.Popen(
        [sys.executable, "-c", STUBBORN], env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    with database.writing() as connection:
        lifecycle.claim(connection, run.id, identify(process.pid))
        lifecycle.move(connection, run.id, RunStatus.RUNNING)
        run = queries.get_run(connection, run.id)
    yield run, process
    assert run.process is not None
    end(family(run.process, run.id), 0.1)
    process.wait()
    process.stdout.close()


def status(database: Database, run: Run) -> Run:
    with database.reading() as connection:
        return queries.get_run(connection, run.id)


def test_stop_now_ends_the_worker_and_its_children_and_nobody_else(
    database: Database, worker: tuple[Run, subprocess.Popen[str]]
) -> None:
    run, process = worker
    assert run.process is not None
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    assert len(family(run.process, run.id)) == 2
    try:
        assert supervisor.end_now(database, run, "test", QUICK) is RunStatus.STOPPED
        process.wait(timeout=5)
        assert family(run.process, run.id) == []
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()
    assert can_resume(status(database, run))


def test_a_worker_that_ignores_a_stop_is_ended_in_the_end(
    database: Database, settings: Settings, worker: tuple[Run, subprocess.Popen[str]]
) -> None:
    run, _ = worker
    submission.stop(database, run.id, "test")
    tick(database, settings)
    assert status(database, run).status is RunStatus.STOPPING  # the step in hand is waited for
    time.sleep(0.01)
    tick(database, settings, supervisor.Limits(stop_s=0.0, patience_s=0.3))
    assert status(database, run).status is RunStatus.STOPPED


def test_children_of_a_dead_worker_are_ended_with_it(
    database: Database, settings: Settings, worker: tuple[Run, subprocess.Popen[str]]
) -> None:
    run, process = worker
    assert run.process is not None
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert len(family(run.process, run.id)) == 1  # the orphan
    tick(database, settings, QUICK)
    assert status(database, run).status is RunStatus.LOST
    assert family(run.process, run.id) == []


def test_a_recycled_token_from_another_boot_is_left_alone(worker: tuple[Run, subprocess.Popen[str]]) -> None:
    run, _ = worker
    assert run.process is not None
    assert family(Process(run.process.pid, run.process.started, "another boot"), run.id) == []
    assert family(Process(run.process.pid, time.time() + 60, run.process.boot_id), run.id) == []
    assert psutil.Process() not in family(run.process, run.id)


def a_run(**facts: object) -> Run:
    here = identify()
    return Run("r", "run", RunStatus.RUNNING, CONFIG, 0.0, phase="update", process=here, facts=facts)


@pytest.mark.parametrize(
    ("facts", "code", "kills", "kind"),
    [
        ({}, None, 0, "worker-died"),
        ({}, 3, 0, "worker-died"),
        ({"oom_kills": 0}, -9, 0, "killed"),
        ({"oom_kills": 0}, -9, 1, "out-of-memory-host"),
        ({}, -9, 1, "killed"),
    ],
)
def test_why_a_worker_ended_is_told_from_outside(
    facts: dict[str, object], code: int | None, kills: int, kind: str
) -> None:
    failure = diagnose_exit(a_run(**facts), code, kills, saved=20)
    assert failure.kind == kind
    assert "phase update" in failure.message
    assert "checkpoint of step 20" in failure.remedy
    assert "starts over" in diagnose_exit(a_run(**facts), code, kills, saved=0).remedy


def test_a_restart_of_the_machine_is_no_mystery() -> None:
    process = Process(os.getpid(), 0.0, "an earlier boot")
    run = Run("r", "run", RunStatus.RUNNING, CONFIG, 0.0, process=process)
    assert diagnose_exit(run, None, 0, 0).kind == "power-lost"


def test_memory_kills_are_counted_where_the_system_counts_them() -> None:
    assert oom_kills(oom_counter(os.getpid())) >= 0
    assert oom_kills("") == oom_kills("/no/such/file") == 0
