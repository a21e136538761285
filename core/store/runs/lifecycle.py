"""A run's status and the marks its worker leaves. Every move is a compare-and-swap on the status it starts from."""

import json
import secrets
import time
from dataclasses import asdict

import sqlalchemy as sa

from core.config import RunConfig
from core.config.upgrade import as_stored
from core.errors import IllegalTransition, NotFound
from core.processes import Process
from core.records.run import Failure, PlannedMemory, Run, SyncChoice
from core.records.status import TRANSITIONS, RunStatus
from core.store.runs.queries import get_run
from core.store.schema import events, load_phases, runs

ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"  # no characters that are read for each other


def enqueue(
    connection: sa.Connection,
    config: RunConfig,
    name: str = "",
    request: str | None = None,
    plan: PlannedMemory | None = None,
) -> Run:
    """Inserts a queued run with its config frozen. The same `request` again returns the run it made before."""
    if request is not None:
        earlier = connection.execute(sa.select(runs.c.id).where(runs.c.request == request)).scalar_one_or_none()
        if earlier is not None:
            return get_run(connection, earlier)
    run_id = "".join(secrets.choice(ALPHABET) for _ in range(8))
    key = connection.execute(
        sa.insert(runs).values(
            id=run_id,
            name=name or f"{config.recipe} {config.model.rstrip('/').rsplit('/', 1)[-1]} r{config.rank}",
            status=RunStatus.QUEUED.value,
            config=as_stored(config),
            request=request,
            plan=json.dumps(asdict(plan)) if plan else None,
            created_at=time.time(),
            queued_at=time.time(),
            revision=_next_revision(),
        )
    ).inserted_primary_key
    assert key is not None
    add_event(connection, run_id, "queued", "Run queued.")
    return get_run(connection, run_id)


def move(
    connection: sa.Connection, run_id: str, to: RunStatus, *, failure: Failure | None = None, who: str = ""
) -> RunStatus:
    """Moves the run to `to` and returns the status it came from.

    Raises IllegalTransition when the design's table does not allow the move, NotFound when there is no such run.
    """
    row = connection.execute(sa.select(runs.c.status).where(runs.c.id == run_id)).one_or_none()
    if row is None:
        raise NotFound("run", run_id, "which does not exist", "list the runs with `grouper runs`")
    current = RunStatus(row.status)
    if to not in TRANSITIONS[current]:
        raise IllegalTransition(f"Run {run_id} is {current} and cannot become {to}.")
    now = time.time()
    values: dict[str, object] = {"status": to.value}
    if to is RunStatus.STARTING:
        values["started_at"] = now
    if to.is_final:
        values |= {"ended_at": now, "phase": "", "phase_started_at": None}
    if failure is not None:
        values["failure"] = json.dumps(asdict(failure))
    update(connection, run_id, **values)
    add_event(connection, run_id, to.value, failure.message if failure else f"Run {to}.", who)
    return current


def claim(connection: sa.Connection, run_id: str, process: Process) -> bool:
    """A worker takes a queued run for itself; False when another was faster or the run was cancelled."""
    if get_run(connection, run_id).status is not RunStatus.QUEUED:
        return False
    move(connection, run_id, RunStatus.STARTING, who="worker")
    update(connection, run_id, process=json.dumps(asdict(process)), heartbeat_at=time.time())
    return True


def assign(connection: sa.Connection, run_id: str, process: Process) -> None:
    """Notes the worker process that was started for a queued run and has yet to claim it."""
    update(connection, run_id, process=json.dumps(asdict(process)), heartbeat_at=time.time())


def request_stop(connection: sa.Connection, run_id: str, who: str) -> RunStatus:
    """Asks a run to end: a queued one is cancelled, an active one stops after its step. Returns the new status."""
    run = get_run(connection, run_id)
    if run.status.is_final:
        raise IllegalTransition(f"Run {run_id} is already {run.status}; there is nothing to stop.")
    if run.status is RunStatus.QUEUED:
        move(connection, run_id, RunStatus.CANCELLED, who=who)
        return RunStatus.CANCELLED
    if run.status is not RunStatus.STOPPING:
        update(connection, run_id, stop_requested_at=time.time())
        move(connection, run_id, RunStatus.STOPPING, who=who)
    return RunStatus.STOPPING


def resume(connection: sa.Connection, run_id: str, who: str, config: RunConfig | None = None) -> Run:
    """Sends a run that has ended back into the queue as a new attempt; `config` replaces its own, with more steps.

    The same request twice is one: a run that waits already stays as it is. Raises IllegalTransition while it is active.
    """
    run = get_run(connection, run_id)
    if run.status is RunStatus.QUEUED:
        return run
    if not run.status.is_final:
        raise IllegalTransition(f"Run {run_id} is {run.status}; it can be resumed when it has ended.")
    run.must_be_readable()
    move(connection, run_id, RunStatus.QUEUED, who=who)
    update(
        connection,
        run_id,
        attempt=run.attempt + 1,
        queued_at=time.time(),
        config=as_stored(config or run.config),
        ended_at=None,
        stop_requested_at=None,
        heartbeat_at=None,
        process=None,
        failure=None,
    )
    key = sa.select(runs.c.key).where(runs.c.id == run_id).scalar_subquery()
    connection.execute(sa.delete(load_phases).where(load_phases.c.run == key))  # of the attempt before
    return get_run(connection, run_id)


def first_in_queue(connection: sa.Connection, run_id: str) -> None:
    """Puts a waiting run before all others."""
    if get_run(connection, run_id).status is not RunStatus.QUEUED:
        raise IllegalTransition(f"Run {run_id} does not wait; only waiting runs have a place in the queue.")
    first = connection.execute(sa.select(sa.func.min(runs.c.queued_at))).scalar_one()
    update(connection, run_id, queued_at=first - 1.0)
    add_event(connection, run_id, "moved", "Moved to the front of the queue.")


def enter_phase(connection: sa.Connection, run_id: str, phase: str) -> None:
    """What the worker is doing now, for people who watch."""
    now = time.time()
    update(connection, run_id, phase=phase, phase_started_at=now, heartbeat_at=now)


def beat(connection: sa.Connection, run_id: str) -> None:
    """The worker lives. Changes no revision: a heartbeat is not news for a page."""
    connection.execute(sa.update(runs).where(runs.c.id == run_id).values(heartbeat_at=time.time()))


def update(connection: sa.Connection, run_id: str, **values: object) -> None:
    connection.execute(sa.update(runs).where(runs.c.id == run_id).values(revision=_next_revision(), **values))


def add_facts(connection: sa.Connection, run_id: str, **facts: object) -> None:
    """Adds to what a run found out about itself: small values by name, the newest of each kept."""
    run = get_run(connection, run_id)
    run.must_be_readable()
    known = {**run.facts, **facts}
    update(connection, run_id, facts=json.dumps(known))


def choose_sync(connection: sa.Connection, run_id: str, choice: SyncChoice) -> None:
    """How the adapter will reach the engine from now on: on the run's record, and as an event."""
    update(connection, run_id, sync=json.dumps(asdict(choice)))
    add_event(connection, run_id, "sync", f"Adapter sync: {choice.sentence}.", "worker")


def delete(connection: sa.Connection, run_id: str) -> None:
    """Removes a run that has ended, with everything recorded for it."""
    run = get_run(connection, run_id)
    if not run.status.is_final:
        raise IllegalTransition(f"Run {run_id} is {run.status}; stop it before deleting it.")
    connection.execute(sa.delete(runs).where(runs.c.id == run_id))


def add_event(connection: sa.Connection, run_id: str, kind: str, message: str, who: str = "") -> None:
    key = sa.select(runs.c.key).where(runs.c.id == run_id).scalar_subquery()
    connection.execute(sa.insert(events).values(run=key, at=time.time(), kind=kind, message=message, who=who))


def _next_revision() -> sa.ScalarSelect[int]:
    """One more than any run's revision: the change token that pages compare."""
    other = runs.alias()
    return sa.select(sa.func.coalesce(sa.func.max(other.c.revision), 0) + 1).scalar_subquery()
