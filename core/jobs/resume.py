"""Going on with a run that has ended: from its newest whole checkpoint, or for more steps than it was made for."""

import json
from pathlib import Path

from core.config import RunConfig, make_config
from core.errors import InvalidInput
from core.installation import FINGERPRINTED, stack_report
from core.jobs.preflight import check_run
from core.jobs.supervisor import tick
from core.planning.resolved_run import resolve
from core.records.run import Run
from core.records.status import RunStatus
from core.settings import Settings
from core.store import Database
from core.store.runs import lifecycle, queries


def resume_run(database: Database, settings: Settings, run_id: str, who: str, steps: int | None = None) -> Run:
    """Queues a new attempt of the run and starts its worker if the device is free.

    steps  how many the run shall have in all; None: as many as it has
    Raises InvalidInput when nothing is left to do or the run cannot work here any more.
    """
    with database.reading() as connection:
        run = queries.get_run(connection, run_id)
    config = _config(run, steps)
    if not run.status.is_active:
        check_run(settings, resolve(settings, config))
    with database.writing() as connection:
        lifecycle.resume(connection, run_id, who, config)
    tick(database, settings)
    with database.reading() as connection:
        return queries.get_run(connection, run_id)


def can_resume(run: Run) -> bool:
    """Whether a run has ended with steps left to do."""
    if run.unreadable or not run.status.is_final:
        return False
    return run.status is not RunStatus.COMPLETED or run.step < run.config.steps


def differences(settings: Settings, run: Run) -> list[str]:
    """What is not as it was at the run's newest checkpoint, one phrase each: the installed packages."""
    newest = max((settings.run_folder(run.id) / "checkpoints").glob("step-*/training.json"), default=None)
    before = _fingerprints(newest) if newest is not None else {}
    now = stack_report().versions
    return [
        f"{name} {before[name]} is now {now.get(name, 'gone')}"
        for name in FINGERPRINTED
        if name in before and before[name] != now.get(name)
    ]


def _config(run: Run, steps: int | None) -> RunConfig:
    if steps is None:
        if run.status is RunStatus.COMPLETED:
            remedy = f"name more, such as --steps {2 * run.config.steps}"
            raise InvalidInput("steps", run.config.steps, "which are all done", remedy)
        return run.config
    if steps <= run.step and run.status.is_final:
        raise InvalidInput("steps", steps, f"of which {run.step} are done", "name more than that")
    return make_config({**run.config.model_dump(), "steps": steps})


def _fingerprints(path: Path) -> dict[str, str]:
    try:
        found: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))["fingerprints"]
    except (OSError, ValueError, KeyError):
        return {}  # a damaged checkpoint: the worker passes it over and says so
    return found
