"""What loading finds out, noted with the run: how long it will take, what it goes without, where it goes on."""

import hashlib
import logging
import shutil
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from core.errors import StopRequested
from core.installation import FINGERPRINTED
from core.models.locate import ModelSource, weight_bytes
from core.records.run import LoadPhase, Run, SyncChoice
from core.records.status import RunStatus
from core.settings import Settings
from core.store import Database
from core.store.rollouts.record import record_load_phase
from core.store.runs import lifecycle, queries
from core.tasks.own.approvals import check_approved, may_run_unprotected
from core.tasks.registry import check_task_data, task_files
from core.tasks.scoring import Scoring
from core.tasks.task import Example, Task
from core.worker.checkpoints.files import TrainingState
from core.worker.checkpoints.retention import ResumePoint
from core.worker.checks.base_unchanged import BaseWatch
from core.worker.checks.packing_exact import Exactness
from core.worker.dtype import compute_notice
from core.worker.heartbeat import Heartbeat
from core.worker.loading.estimate import expected_seconds
from core.worker.loading.load import Loaded
from core.worker.loading.progress import Progress

log = logging.getLogger(__name__)


def open_scoring(task: Task, settings: Settings) -> Scoring:
    """What asks the task's rewards. Raises InvalidInput for a file that nobody agreed to, or not without protection."""
    check_approved(task.rewards, settings.tasks)
    return Scoring(task.rewards, allow_plain=may_run_unprotected(task.rewards, settings.tasks), cache=settings.scores)


def keep_task(name: str, settings: Settings, folder: Path) -> None:
    """Copies the task file and the Python file beside it into the run's folder: what exactly it ran with.

    Raises InvalidInput where the rows of the task have changed since it was saved.
    """
    check_task_data(name, settings.tasks)
    kept = folder / "task"
    if not kept.exists():
        kept.mkdir()
        for path in task_files(name, settings.tasks):
            shutil.copyfile(path, kept / path.name)


def recorded_progress(database: Database, run: Run, model: ModelSource, heartbeat: Heartbeat) -> Progress:
    """Progress through loading: each phase announced by the heartbeat, stored when it is done, ended by a stop."""

    def record_phase(phase: LoadPhase) -> None:
        with database.writing() as connection:
            record_load_phase(connection, run.id, phase)

    def begin(phase: str) -> None:
        if heartbeat.stop_requested:
            raise StopRequested(f"Asked to end before {phase}.")
        heartbeat.enter(phase)

    return Progress(begin, record_phase, _expect(database, run, model))


def _expect(database: Database, run: Run, source: ModelSource) -> dict[str, float]:
    """Seconds by load phase, noted with the run so that its page can show them."""
    size = source.known.parameters * 2 if source.known else weight_bytes(source)
    with database.writing() as connection:
        expected = expected_seconds(run.config, queries.earlier_loads(connection, run), source.folder, size)
        lifecycle.add_facts(connection, run.id, load_seconds=expected)
    return expected


def fingerprints(task: Task, examples: Sequence[Example], watch: BaseWatch) -> dict[str, str]:
    """What a run's numbers depend on besides its config: the task's data and rewards, the base, the packages."""
    rewards = sorted((reward.name, reward.weight) for reward in task.rewards)
    data = hashlib.sha256(repr((rewards, [example.prompt for example in examples[:64]])).encode()).hexdigest()[:16]
    found = {"recipe": data, "base weights": watch.digest}
    for package in FINGERPRINTED:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def open_record(
    database: Database,
    run: Run,
    loaded: Loaded,
    exactness: Exactness,
    found: ResumePoint,
    kept: TrainingState | None,
    prints: dict[str, str],
    scoring: Scoring,
) -> None:
    """What loading found out, where the run goes on, and that it now trains."""
    notices = [*loaded.lacking, *loaded.engine.notices, *found.damaged]
    if kept is not None:
        before = kept.values.get("fingerprints", {})
        changed = [
            f"{name} {was} is now {now}" for name, was in before.items() if (now := prints.get(name, "gone")) != was
        ]
        notices += [f"Not everything is as it was at the checkpoint: {', '.join(changed)}."] * bool(changed)
    for notice in notices:
        log.warning(notice)
    computing = compute_notice(loaded.policy.device)
    if computing:
        log.info(computing)
    with database.writing() as connection:
        lifecycle.update(connection, run.id, engine=loaded.engine.name)
        lifecycle.choose_sync(connection, run.id, SyncChoice(loaded.engine.adapter_sync, reason=loaded.engine.reason))
        lifecycle.add_facts(connection, run.id, packed=exactness.packed, packing=exactness.reason, fingerprints=prints)
        lifecycle.add_facts(connection, run.id, base_weights=prints["base weights"], base_weights_checked=found.step)
        lifecycle.add_event(connection, run.id, "note" if exactness.packed else "warning", exactness.reason, "worker")
        if computing:
            lifecycle.add_event(connection, run.id, "note", computing, "worker")
        for notice in notices:
            lifecycle.add_event(connection, run.id, "warning", notice, "worker")
        if scoring.level is not None:
            lifecycle.add_facts(connection, run.id, sandbox=scoring.level.name)
        if run.attempt > 1:
            where = f"the checkpoint of step {found.step}" if found.step else "the start: there is no whole checkpoint"
            lifecycle.add_event(connection, run.id, "resumed", f"Attempt {run.attempt} goes on from {where}.", "worker")
        stopping = queries.get_run(connection, run.id).status is RunStatus.STOPPING
        if not stopping:
            lifecycle.move(connection, run.id, RunStatus.RUNNING, who="worker")
    if stopping:
        raise StopRequested("Asked to end before the first step.")
