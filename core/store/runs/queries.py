"""Every question a reader asks, as one named function each."""

import json
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from core.errors import NotFound
from core.records.run import Checkpoint, Event, LoadPhase, Run, Summary
from core.records.status import ACTIVE, RunStatus
from core.records.step import Step
from core.store.runs.rows import config_field, to_run
from core.store.schema import checkpoints, completions, events, load_phases, runs, steps

# The phases of a step as the planner names them; a step's memory has a peak for each.
PLANNED_PHASES = ("rollout", "sync", "update")


def get_run(connection: sa.Connection, run_id: str) -> Run:
    """The run with this id, or NotFound."""
    row = connection.execute(sa.select(runs).where(runs.c.id == run_id)).mappings().one_or_none()
    if row is None:
        raise NotFound("run", run_id, "which does not exist", "list the runs with `grouper runs`")
    return to_run(row)


def list_runs(
    connection: sa.Connection, limit: int = 100, statuses: Sequence[RunStatus] = (), before: float | None = None
) -> list[Run]:
    """Runs, newest first; `before` is the created_at of the last run of the page before."""
    query = sa.select(runs).order_by(runs.c.created_at.desc()).limit(limit)
    if statuses:
        query = query.where(runs.c.status.in_([status.value for status in statuses]))
    if before is not None:
        query = query.where(runs.c.created_at < before)
    return [to_run(row) for row in connection.execute(query).mappings()]


def active_runs(connection: sa.Connection) -> list[Run]:
    return list_runs(connection, limit=1000, statuses=sorted(ACTIVE))


def queued_runs(connection: sa.Connection) -> list[Run]:
    """Waiting runs, the one that waited longest first."""
    query = sa.select(runs).where(runs.c.status == RunStatus.QUEUED.value).order_by(runs.c.queued_at, runs.c.key)
    return [to_run(row) for row in connection.execute(query).mappings()]


def change_token(connection: sa.Connection) -> str:
    """Changes whenever a run changes or goes; equal tokens mean that there is nothing to redraw."""
    row = connection.execute(sa.select(sa.func.max(runs.c.revision), sa.func.count(runs.c.key))).one()
    return f"{row[0]}-{row[1]}"


def run_mark(connection: sa.Connection, run_id: str) -> tuple[int, float | None] | None:
    """(revision, heartbeat while a worker owns the run); None when there is no such run."""
    query = sa.select(runs.c.revision, runs.c.heartbeat_at, runs.c.status).where(runs.c.id == run_id)
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    return row.revision, row.heartbeat_at if RunStatus(row.status).is_active else None


def list_steps(connection: sa.Connection, run_id: str, after: int = 0) -> list[Step]:
    """A run's steps without their groups, in order, from the one after `after`."""
    query = (
        sa.select(steps)
        .join(runs, runs.c.key == steps.c.run)
        .where(runs.c.id == run_id, steps.c.number > after)
        .order_by(steps.c.number)
    )
    return [to_step(row) for row in connection.execute(query)]


def list_events(connection: sa.Connection, run_id: str) -> list[Event]:
    query = sa.select(events).join(runs, runs.c.key == events.c.run).where(runs.c.id == run_id).order_by(events.c.id)
    return [Event(at=row.at, kind=row.kind, message=row.message, who=row.who) for row in connection.execute(query)]


def list_load_phases(connection: sa.Connection, run_id: str) -> list[LoadPhase]:
    query = (
        sa.select(load_phases)
        .join(runs, runs.c.key == load_phases.c.run)
        .where(runs.c.id == run_id)
        .order_by(load_phases.c.id)
    )
    return [LoadPhase(row.name, row.seconds, row.memory_bytes) for row in connection.execute(query)]


def earlier_loads(connection: sa.Connection, run: Run, limit: int = 9) -> list[list[LoadPhase]]:
    """The load phases of the newest other runs that loaded the same: model, device, quantisation and engine."""
    same = ("model", "gpu", "quantization", "fast_inference")
    alike = [config_field(name) == getattr(run.config, name) for name in same]
    found = connection.execute(
        sa.select(runs.c.id)
        .where(*alike, runs.c.id != run.id, runs.c.engine != "")
        .order_by(runs.c.key.desc())
        .limit(limit)
    ).scalars()
    return [list_load_phases(connection, run_id) for run_id in found]


def measured_peaks(connection: sa.Connection, limit: int) -> list[tuple[Run, int]]:
    """The newest runs that ended with a plan, oldest first, each with the highest memory of any phase in bytes.
    Those that this version cannot read are left out."""
    phases = [sa.func.coalesce(sa.func.json_extract(steps.c.memory, f"$.{name}"), 0) for name in PLANNED_PHASES]
    peak = sa.func.max(sa.func.max(*phases)).label("peak")
    query = (
        sa.select(*runs.c, peak)
        .join(steps, steps.c.run == runs.c.key)
        .where(runs.c.plan.is_not(None), runs.c.status.not_in([status.value for status in ACTIVE]))
        .group_by(runs.c.key)
        .order_by(runs.c.key.desc())
        .limit(limit)
    )
    measured = [(to_run(row), row["peak"]) for row in connection.execute(query).mappings()]
    return [(run, peak) for run, peak in measured[::-1] if run.plan is not None and not run.unreadable]


def list_checkpoints(connection: sa.Connection, run_id: str) -> list[Checkpoint]:
    query = (
        sa.select(checkpoints)
        .join(runs, runs.c.key == checkpoints.c.run)
        .where(runs.c.id == run_id)
        .order_by(checkpoints.c.step)
    )
    return [Checkpoint(row.step, row.path, row.sha256, row.reward, row.at) for row in connection.execute(query)]


def summarise(connection: sa.Connection, run_id: str) -> Summary:
    """A run in figures: mean reward of its first and last five steps, its speed, and where the time went."""
    run = get_run(connection, run_id)
    recorded = list_steps(connection, run_id)
    phase_seconds: dict[str, float] = {}
    for phase in list_load_phases(connection, run_id):
        name = f"load: {phase.name}"
        phase_seconds[name] = phase_seconds.get(name, 0.0) + phase.seconds
    for step in recorded:
        for name, value in step.seconds.items():
            phase_seconds[name] = phase_seconds.get(name, 0.0) + value
    count = connection.execute(
        sa.select(sa.func.count())
        .select_from(completions)
        .join(runs, runs.c.key == completions.c.run)
        .where(runs.c.id == run_id)
    ).scalar_one()
    rewards = [step.metrics["reward"] for step in recorded]
    generating = sum(step.seconds.get("generate", 0.0) for step in recorded)
    return Summary(
        run=run,
        completions=count,
        reward_first=_mean(rewards[:5]),
        reward_last=_mean(rewards[-5:]),
        wall_seconds=(run.ended_at or 0.0) - (run.started_at or 0.0) if run.ended_at and run.started_at else 0.0,
        tokens_per_second=run.tokens / generating if generating else 0.0,
        phase_seconds=phase_seconds,
    )


def to_step(row: sa.Row[Any]) -> Step:
    """A row of `steps` as a record without its groups."""
    return Step(
        number=row.number,
        metrics={"reward": row.reward, "tokens": row.tokens, **json.loads(row.metrics)},
        seconds=json.loads(row.seconds),
        memory=json.loads(row.memory),
        at=row.at,
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
