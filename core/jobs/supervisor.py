"""Starts the worker of the run whose turn it is, and notices workers that died or hang. Any number of these may run."""

import logging
import subprocess
import sys
import threading
import time
from dataclasses import dataclass

from core.errors import GrouperError
from core.jobs.postmortem import diagnose_exit
from core.jobs.queue import device_of, devices, next_start
from core.planning.calibration import learn
from core.processes import end, family, identify, is_alive, oom_counter, oom_kills
from core.records.run import Failure, Run
from core.records.status import RunStatus
from core.settings import PROJECT, Settings, worker_environment
from core.store import Database
from core.store.runs import lifecycle, queries

TICK_S = 1.0
LEARN_EVERY = 30  # ticks
log = logging.getLogger(__name__)
_children: dict[int, subprocess.Popen[bytes]] = {}  # started here: reaped here, and their exit codes are known


@dataclass(frozen=True)
class Limits:
    """How long a worker may take over what.

    stop_s      a stop waits for the step in hand as long as the worker enters new phases; one that has not for this
                long is ended
    claim_s     a worker claims its run before it imports anything heavy; one that has not by then never will
    patience_s  between asking a process to terminate and ending it
    """

    stop_s: float = 600.0
    claim_s: float = 180.0
    patience_s: float = 5.0


LIMITS = Limits()


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


def tick(database: Database, settings: Settings, limits: Limits = LIMITS) -> None:
    """One look: bury the dead, end what hangs, then start a waiting run whose device is free."""
    with database.reading() as connection:
        owned = [*queries.active_runs(connection), *queries.queued_runs(connection)]
    for run in owned:
        if run.process is None:
            if run.unreadable and run.status.is_active and time.time() - (run.heartbeat_at or 0.0) > limits.claim_s:
                _give_up(database, run)
            continue
        if not is_alive(run.process):
            _bury(database, run, limits)
        elif _hangs(run, time.time(), limits):
            end_now(database, run, "supervisor", limits)
    if any(run.status is RunStatus.QUEUED and run.process is None for run in owned):
        _start_next(database, settings)
    for pid in [pid for pid, child in _children.items() if child.poll() is not None]:
        del _children[pid]


def end_now(database: Database, run: Run, who: str, limits: Limits = LIMITS) -> RunStatus:
    """Ends a run's worker and all it started, without waiting for its step, and gives the run its final status."""
    assert run.process is not None
    end(family(run.process, run.id), limits.patience_s)
    with database.writing() as connection:
        now = queries.get_run(connection, run.id)
        if now.status.is_final or now.process != run.process:
            return now.status  # it came to its own end meanwhile
        if now.status is RunStatus.QUEUED:
            failure = Failure("worker-hung", "The worker never began its work and was ended.", "Resume the run.")
            lifecycle.move(connection, run.id, RunStatus.FAILED, failure=failure, who=who)
            return RunStatus.FAILED
        if now.status is not RunStatus.STOPPING:
            lifecycle.request_stop(connection, run.id, who)
        lifecycle.add_event(connection, run.id, "ended", "The worker was ended without waiting for its step.", who)
        lifecycle.move(connection, run.id, RunStatus.STOPPED, who=who)
    return RunStatus.STOPPED


def _give_up(database: Database, seen: Run) -> None:
    """Gives a run of another version its final status when its worker, which cannot be looked up, fell silent."""
    with database.writing() as connection:
        if queries.get_run(connection, seen.id) == seen:
            message = "Its worker has been silent, and this version cannot read which process it was."
            failure = Failure("worker-died", message, "Delete the run, or install the version that launched it.")
            lifecycle.move(connection, seen.id, RunStatus.LOST, failure=failure, who="supervisor")


def _hangs(run: Run, now: float, limits: Limits) -> bool:
    """Asked to end and not moving, or started and never begun."""
    if run.status is RunStatus.STOPPING:
        return now - max(run.stop_requested_at or now, run.phase_started_at or 0.0) > limits.stop_s
    return run.status is RunStatus.QUEUED and now - (run.heartbeat_at or now) > limits.claim_s


def _start_next(database: Database, settings: Settings) -> None:
    # Inside the write lock, so that two supervisors never start two workers.
    with database.writing() as connection:
        queued = queries.queued_runs(connection)
        started = [*queries.active_runs(connection), *(run for run in queued if run.process)]
        waiting = [run for run in queued if run.process is None]
        chosen = next_start(waiting, {device_of(run) for run in started}, devices(settings))
        if chosen is None:
            return
        run, device = chosen
        child = _spawn(settings, run.id, device)
        _children[child.pid] = child
        lifecycle.assign(connection, run.id, identify(child.pid))
        counter = oom_counter(child.pid)
        lifecycle.add_facts(connection, run.id, device=device, oom_counter=counter, oom_kills=oom_kills(counter))


def _spawn(settings: Settings, run_id: str, device: str) -> subprocess.Popen[bytes]:
    """A worker in its own session: it outlives this process, and its whole process group can be found."""
    folder = settings.run_folder(run_id)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "worker.log").open("ab") as log_file:
        return subprocess.Popen(
            [sys.executable, "-m", "core.worker", run_id],
            cwd=PROJECT,
            env=worker_environment(settings, run_id, device),
            stdin=subprocess.DEVNULL,
            stdout=log_file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _bury(database: Database, seen: Run, limits: Limits) -> None:
    """Gives a run whose worker is gone its final status, unless the worker wrote one after all.

    What it had started and left behind is ended first.
    """
    assert seen.process is not None
    end(family(seen.process, seen.id), limits.patience_s)
    child = _children.get(seen.process.pid)
    code = child.poll() if child is not None else None
    with database.writing() as connection:
        run = queries.get_run(connection, seen.id)
        if run.process != seen.process or run.status.is_final:
            return
        saved = [checkpoint.step for checkpoint in queries.list_checkpoints(connection, run.id)]
        failure = diagnose_exit(run, code, oom_kills(run.facts.get("oom_counter", "")), max(saved, default=0))
        to = RunStatus.FAILED if run.status is RunStatus.QUEUED else RunStatus.LOST
        lifecycle.move(connection, run.id, to, failure=failure, who="supervisor")
