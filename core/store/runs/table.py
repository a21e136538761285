"""A page of runs as a table shows it: filtered, sorted, with a curve and a pace for each run.

What a row needs beside its run comes from a few steps of each, looked up by number: a page costs the same for runs of
forty steps and of a million.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from core.records.run import Run
from core.records.status import ACTIVE, RunStatus
from core.store.runs.rows import config_field, to_run
from core.store.schema import runs, steps

SPARK_POINTS = 24
PACE_STEPS = 5  # steps that speed and time left are judged by
PAGE = 50
BEGAN = sa.func.coalesce(runs.c.started_at, runs.c.created_at)
# What the table can be sorted by. Runs without a value come last either way; ties go to the newer run.
SORTS: Mapping[str, sa.ColumnElement[Any]] = {
    "started": BEGAN,
    "name": sa.func.lower(runs.c.name),
    "state": runs.c.status,
    "model": config_field("model"),
    "recipe": config_field("recipe"),
    "rank": config_field("rank"),
    "progress": runs.c.step * 1.0 / config_field("steps"),
    "reward": runs.c.reward,
}


@dataclass(frozen=True)
class RunFilter:
    """Which runs, in which order; an empty field takes all.

    state   a status, or "active" for those a worker owns
    sort    a key of SORTS, with "-" before it for the largest first
    page    from 1
    """

    search: str = ""
    state: str = ""
    model: str = ""
    recipe: str = ""
    tag: str = ""
    archived: bool = False
    sort: str = "-started"
    page: int = 1

    @property
    def narrows(self) -> bool:
        return replace(self, sort="-started", page=1) != RunFilter()


@dataclass(frozen=True)
class RunRow:
    """A run with what its row shows besides.

    curve              its reward at up to SPARK_POINTS steps, oldest first
    tokens_per_second  sampled, over the last PACE_STEPS steps
    seconds_left       at the pace of the last steps; None for a run that does not step
    """

    run: Run
    curve: tuple[float, ...] = ()
    tokens_per_second: float | None = None
    seconds_left: float | None = None


@dataclass(frozen=True)
class RunPage:
    rows: tuple[RunRow, ...]
    total: int
    page: int
    pages: int


def page_of_runs(connection: sa.Connection, wanted: RunFilter, size: int = PAGE, curves: bool = True) -> RunPage:
    """One page of the runs that the filter takes; without `curves`, nothing of their steps. A page beyond the last one
    is the last one."""
    query = _matching(wanted)
    total = connection.execute(sa.select(sa.func.count()).select_from(query.subquery())).scalar_one()
    pages = max(1, -(-total // size))
    page = min(max(1, wanted.page), pages)
    column, falling = SORTS.get(wanted.sort.lstrip("-"), BEGAN), wanted.sort.startswith("-")
    order = column.desc() if falling else column.asc()
    kept = connection.execute(
        query.order_by(order.nulls_last(), runs.c.key.desc()).limit(size).offset((page - 1) * size)
    ).mappings()
    found = [(row["key"], to_run(row)) for row in kept]
    rows = _with_curves(connection, found) if curves else tuple(RunRow(run) for _, run in found)
    return RunPage(rows, total, page, pages)


def facets(connection: sa.Connection) -> dict[str, list[tuple[str, int]]]:
    """The values there are to filter by, with how many runs have each: model, recipe, state and tag."""
    query = sa.select(SORTS["model"].label("model"), SORTS["recipe"].label("recipe"), runs.c.status, runs.c.tags)
    counts: dict[str, Counter[str]] = {name: Counter() for name in ("state", "model", "recipe", "tag")}
    for row in connection.execute(query.where(runs.c.archived_at.is_(None))):
        counts["state"][row.status] += 1
        for name in ("model", "recipe"):
            if isinstance(getattr(row, name), str):  # it is not in a row that another version wrote
                counts[name][getattr(row, name)] += 1
        counts["tag"].update(_tags(row.tags))
    return {name: sorted(found.items()) for name, found in counts.items()}


def _tags(text: str) -> list[str]:
    """The tags of a row; none where another version stored something else."""
    try:
        value = json.loads(text)
    except ValueError:
        return []
    return [str(word) for word in value] if isinstance(value, list) else []


def runs_by_id(connection: sa.Connection, ids: Sequence[str]) -> list[Run]:
    """These runs in this order; ids of runs that are gone are left out."""
    rows = connection.execute(sa.select(runs).where(runs.c.id.in_(ids))).mappings()
    found = {row["id"]: to_run(row) for row in rows}
    return [found[run_id] for run_id in ids if run_id in found]


def _matching(wanted: RunFilter) -> sa.Select[Any]:
    query = sa.select(runs).where(runs.c.archived_at.is_not(None) if wanted.archived else runs.c.archived_at.is_(None))
    if wanted.state == "active":
        query = query.where(runs.c.status.in_([status.value for status in ACTIVE]))
    elif wanted.state:
        query = query.where(runs.c.status == wanted.state)
    for name in ("model", "recipe"):
        if getattr(wanted, name):
            query = query.where(SORTS[name] == getattr(wanted, name))
    if wanted.tag:
        listed = sa.case((sa.func.json_valid(runs.c.tags) == 1, runs.c.tags), else_="[]")
        each = sa.func.json_each(listed).table_valued("value")
        query = query.where(sa.exists(sa.select(1).select_from(each).where(each.c.value == wanted.tag)))
    for word in wanted.search.split()[:8]:
        pattern = "%" + word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        seen = (runs.c.name, runs.c.id, runs.c.tags, runs.c.notes, SORTS["model"], SORTS["recipe"])
        query = query.where(sa.or_(*(column.like(pattern, escape="\\") for column in seen)))
    return query


def _with_curves(connection: sa.Connection, found: Sequence[tuple[int, Run]]) -> tuple[RunRow, ...]:
    """Every run with its curve, speed and time left, from the steps that `_looked_up` names."""
    wanted = {key: _looked_up(run.step) for key, run in found if run.step}
    if not wanted:
        return tuple(RunRow(run) for _, run in found)
    pairs = sa.func.json_each(json.dumps([[key, number] for key, numbers in wanted.items() for number in numbers]))
    each = pairs.table_valued("value")
    query = sa.select(
        steps.c.run,
        steps.c.number,
        steps.c.at,
        steps.c.reward,
        steps.c.tokens,
        sa.func.json_extract(steps.c.seconds, "$.generate").label("generate"),
    ).select_from(
        each.join(
            steps,
            sa.and_(
                steps.c.run == sa.func.json_extract(each.c.value, "$[0]"),
                steps.c.number == sa.func.json_extract(each.c.value, "$[1]"),
            ),
        )
    )
    by_run: dict[int, list[Any]] = {}
    for row in connection.execute(query):
        by_run.setdefault(row.run, []).append(row)
    return tuple(_row(run, sorted(by_run.get(key, ()), key=lambda row: row.number)) for key, run in found)


def _looked_up(last: int) -> list[int]:
    """The numbers of the steps that a row is drawn from: evenly spread ones, and the last few."""
    spread = {1 + round(place * (last - 1) / (SPARK_POINTS - 1)) for place in range(SPARK_POINTS)}
    return sorted(spread | set(range(max(1, last - PACE_STEPS + 1), last + 1)))


def _row(run: Run, rows: Sequence[Any]) -> RunRow:
    spread = {1 + round(place * (run.step - 1) / (SPARK_POINTS - 1)) for place in range(SPARK_POINTS)}
    curve = tuple(row.reward for row in rows if row.number in spread and row.reward is not None)
    recent = [row for row in rows if row.number > run.step - PACE_STEPS]
    sampling = sum(row.generate or 0.0 for row in recent)
    speed = sum(row.tokens for row in recent) / sampling if sampling else None
    return RunRow(run, curve, speed, _seconds_left(run, recent))


def _seconds_left(run: Run, recent: Sequence[Any]) -> float | None:
    if run.unreadable or run.status not in (RunStatus.STARTING, RunStatus.RUNNING) or len(recent) < 2:
        return None
    return (recent[-1].at - recent[0].at) / (len(recent) - 1) * max(0, run.config.steps - run.step)
