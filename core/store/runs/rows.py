"""A row of `runs` as a Run, whatever version wrote it: what cannot be read is said, and never raised at a listing."""

import json
from dataclasses import MISSING, fields
from typing import Any, TypeVar

import sqlalchemy as sa

from core.config import RunConfig
from core.config.upgrade import read_stored
from core.errors import Unreadable
from core.processes import Process
from core.records.run import Failure, PlannedMemory, Run, SyncChoice, UnreadableRow
from core.records.status import RunStatus
from core.store.schema import runs

R = TypeVar("R")
# Columns that hold texts of other forms than plain ones; an unreadable row shows them as they are.
FORMED = ("status", "config", "process", "facts", "tags", "plan", "sync", "failure")
DELETE = "delete it"


def config_field(name: str) -> sa.ColumnElement[Any]:
    """A field of the stored config in SQL; NULL where the text is no JSON, at which SQLite's json_extract raises."""
    return sa.case((sa.func.json_valid(runs.c.config) == 1, sa.func.json_extract(runs.c.config, f"$.{name}")))


def to_run(row: sa.RowMapping) -> Run:
    """The record of a row. One that is not understood is a Run with `unreadable` set, and raises nothing."""
    status, process, facts, tags = (
        _status(row["status"]),
        read_record(Process, row["process"]),
        _json(row["facts"], dict),
        _json(row["tags"], list),
    )
    return Run(
        id=row["id"],
        name=row["name"],
        status=status or RunStatus.LOST,
        stored=_stored(row, status, process, facts, tags),
        created_at=row["created_at"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        step=row["step"],
        reward=row["reward"],
        tokens=row["tokens"],
        phase=row["phase"],
        phase_started_at=row["phase_started_at"],
        heartbeat_at=row["heartbeat_at"],
        stop_requested_at=row["stop_requested_at"],
        engine=row["engine"],
        sync=read_record(SyncChoice, row["sync"]),
        adapter_path=row["adapter_path"],
        plan=read_record(PlannedMemory, row["plan"]),
        process=process,
        failure=read_record(Failure, row["failure"]),
        revision=row["revision"],
        facts=facts or {},
        attempt=row["attempt"],
        tags=tuple(str(word) for word in tags or ()),
        notes=row["notes"],
        archived_at=row["archived_at"],
    )


def read_record(kind: type[R], text: str | None) -> R | None:
    """A record that was stored as JSON. Fields that a newer version added are passed over; None where one that is
    needed is missing, or where nothing is stored."""
    values = _json(text, dict)
    if values is None:
        return None
    known = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
    needed = {name for name, field in known.items() if field.default is field.default_factory is MISSING}
    if not needed <= {*values}:
        return None
    return kind(**{name: value for name, value in values.items() if name in known})


def _stored(
    row: sa.RowMapping,
    status: RunStatus | None,
    process: Process | None,
    facts: dict[str, Any] | None,
    tags: list[Any] | None,
) -> RunConfig | UnreadableRow:
    """The config, when it and everything that starting or ending a worker depends on can be read."""
    raw = {name: str(row[name]) for name in FORMED if row[name]}
    if status is None:
        return UnreadableRow(f"{row['status']!r} is no state that this version knows", DELETE, raw)
    for name, value in (("process", process), ("facts", facts), ("tags", tags)):
        if row[name] and value is None:
            return UnreadableRow(f"its {name} is stored in a form that this version does not know", DELETE, raw)
    try:
        return read_stored(row["config"])
    except Unreadable as error:
        return UnreadableRow(error.problem, error.remedy, raw)


def _status(text: str) -> RunStatus | None:
    return RunStatus(text) if text in RunStatus.__members__.values() else None


def _json(text: str | None, kind: type[R]) -> R | None:
    """The JSON value of this kind in a text; None for every other text."""
    try:
        value = json.loads(text or "null")
    except ValueError:
        return None
    return value if isinstance(value, kind) else None
