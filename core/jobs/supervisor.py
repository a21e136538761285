"""Starts the worker of the run whose turn it is, and notices workers that died. Any number of these may run."""

import json
import logging
import subprocess
import sys
import threading
import time
from dataclasses import asdict

from core.errors import GrouperError
from core.jobs.calibration import learn
from core.processes import identify, is_alive
from core.runs import Failure, Run, RunStatus
from core.settings import PROJECT, Settings, worker_environment
from core.store import Database, browsing, lifecycle

TICK_S = 1.0
LEARN_EVERY = 30  # ticks
log = logging.getLogger(__name__)
_children: list[subprocess.Popen[bytes]] = []  # started here; polled so that the ended ones are reaped


class Supervisor:
    """A thread that looks after the queue while the dashboard runs."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database, self._settings = database, settings
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="supervisor", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Stops looking. Workers go on: they are detached."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def _watch(self) -> None:
        rounds = 0
        while not self._ending.is_set():
            try:
                tick(self._database, self._settings)
                if rounds % LEARN_EVERY == 0:
                    learn(self._database, self._settings)
                rounds += 1
            except GrouperError as error:
                log.warning("%s", error)  # a locked database or a full disk passes; the next tick tries again
            self._ending.wait(TICK_S)


def tick(database: Database, settings: Settings) -> None:
    """One look: bury the dead, then start the next run if nothing runs."""
    _children[:] = [child for child in _children if child.poll() is None]
    with database.reading() as connection:
        owned = [*browsing.active_runs(connection), *browsing.queued_runs(connection)]
    for run in owned:
        if run.process is not None and not is_alive(run.process):
            _bury(database, settings, run)
    if any(run.status is RunStatus.QUEUED and run.process is None for run in owned):
        _start_next(database, settings)


def _start_next(database: Database, settings: Settings) -> None:
    # Inside the write lock, so that two supervisors never start two workers.
    with database.writing() as connection:
        waiting = browsing.queued_runs(connection)
        if browsing.active_runs(connection) or not waiting or any(run.process for run in waiting):
            return
        run = waiting[0]
        child = _spawn(settings, run.id)
        _children.append(child)
        lifecycle.assign(connection, run.id, identify(child.pid))


def _spawn(settings: Settings, run_id: str) -> subprocess.Popen[bytes]:
    """A worker in its own session: it outlives this process, and its whole process group can be found."""
    folder = settings.run_folder(run_id)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "worker.log").open("ab") as log_file:
        return subprocess.Popen(
            [sys.executable, "-m", "core.worker", run_id],
            cwd=PROJECT,
            env=worker_environment(settings),
            stdin=subprocess.DEVNULL,
            stdout=log_file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _bury(database: Database, settings: Settings, seen: Run) -> None:
    """Gives a run whose worker is gone its final status, unless the worker wrote one after all."""
    with database.writing() as connection:
        run = browsing.get_run(connection, seen.id)
        if run.process != seen.process or run.status.is_final:
            return
        assert run.process is not None
        where = f" while it was in phase {run.phase}" if run.phase else ""
        failure = Failure(
            kind="worker-died",
            message=f"The worker process (pid {run.process.pid}) ended{where} without saying why.",
            remedy="See the last lines of its log. If the system ended it for memory, lower rank, group_size "
            "or completion_tokens and launch again.",
            details=json.dumps({"process": asdict(run.process), "noticed_at": time.time()}),
        )
        to = RunStatus.FAILED if run.status is RunStatus.QUEUED else RunStatus.LOST
        lifecycle.move(connection, run.id, to, failure=failure, who="supervisor")
