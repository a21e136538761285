"""What people ask for: a run, its end, its removal, the last lines of its log."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.config import RunConfig, make_config
from core.jobs.preflight import check_run
from core.jobs.queue import device_of, devices, suited, usable
from core.jobs.supervisor import end_now, tick
from core.planning.calibration import learn
from core.planning.remedies import refuse_unless_fits
from core.planning.resolved_run import resolve
from core.records.run import PlannedMemory, Run
from core.records.status import RunStatus
from core.settings import Settings
from core.store import Database
from core.store.runs import lifecycle, queries

TAIL_BYTES = 64 * 1024


def submit(
    database: Database,
    settings: Settings,
    config: RunConfig,
    *,
    name: str = "",
    request: str | None = None,
    who: str = "page",
    insist: bool = False,
) -> Run:
    """Checks the config, queues a run of it, and starts its worker if the device is free.

    request  names this click or command; the same one again returns the same run
    insist   launch although the memory plan does not fit
    Raises InvalidInput before anything is stored when the run cannot work here.
    """
    resolved = resolve(settings, config)
    check_run(settings, resolved)
    learn(database, settings)
    if not insist:
        refuse_unless_fits(settings, resolved)
    planned = resolved.plan
    memory = PlannedMemory(planned.capacity_bytes, {phase.name: phase.total_bytes for phase in planned.phases})
    with database.writing() as connection:
        run = lifecycle.enqueue(connection, config, name=name.strip()[:120], request=request, plan=memory)
    tick(database, settings)
    with database.reading() as connection:
        return queries.get_run(connection, run.id)


def config_like(database: Database, run_id: str, changes: Mapping[str, Any]) -> RunConfig:
    """The config of an earlier run with some fields changed. Raises NotFound or InvalidInput."""
    with database.reading() as connection:
        config = queries.get_run(connection, run_id).config
    return make_config({**config.model_dump(), **changes})


def queue_position(database: Database, settings: Settings, gpu: str, device: str = "auto") -> tuple[str, int]:
    """What a run launched now for this GPU and device would wait for: the name of a run at work there, "" when a
    device is free, and how many runs wait for the same already.
    """
    present = devices(settings)
    mine = suited(gpu, device, present)
    with database.reading() as connection:
        active, queued = queries.active_runs(connection), queries.queued_runs(connection)
    at_work = {device_of(run): run.name for run in [*active, *(run for run in queued if run.process)]}
    readable = [run for run in queued if run.process is None and not run.unreadable]
    waiting = sum(bool({*usable(run.config, present)} & {*mine}) for run in readable)
    free = [name for name in mine if name not in at_work]
    return "" if free or not mine else at_work[mine[0]], waiting


def run_next(database: Database, run_id: str) -> None:
    """Puts a waiting run at the front of the queue."""
    with database.writing() as connection:
        lifecycle.first_in_queue(connection, run_id)


def stop(database: Database, run_id: str, who: str, now: bool = False) -> RunStatus:
    """Asks a run to end after its current step; a queued run is cancelled.

    now  do not wait for the step: what was sampled since the last recorded one is lost
    """
    with database.writing() as connection:
        status = lifecycle.request_stop(connection, run_id, who)
        run = queries.get_run(connection, run_id)
    return end_now(database, run, who) if now and status is RunStatus.STOPPING else status


def delete(database: Database, settings: Settings, run_id: str) -> None:
    """Removes a run that has ended: its rows, log, adapter and checkpoints."""
    with database.writing() as connection:
        lifecycle.delete(connection, run_id)
    shutil.rmtree(settings.run_folder(run_id), ignore_errors=True)


def log_tail(settings: Settings, run_id: str, lines: int = 60) -> str:
    """The last lines of the worker's log, "" when there is none."""
    return tail(settings.run_folder(run_id) / "worker.log", lines)


def log_size(settings: Settings, run_id: str) -> int:
    """Bytes in the worker's log."""
    try:
        return (settings.run_folder(run_id) / "worker.log").stat().st_size
    except OSError:
        return 0


def tail(path: Path, lines: int) -> str:
    try:
        with path.open("rb") as log:
            log.seek(0, 2)
            log.seek(max(0, log.tell() - TAIL_BYTES))
            text = log.read().decode("utf-8", "replace")
    except OSError:
        return ""
    # A progress bar rewrites its line with carriage returns; only its last state matters.
    kept = [line.rsplit("\r", 1)[-1] for line in text.splitlines(keepends=False)]
    return "\n".join(kept[-lines:])
