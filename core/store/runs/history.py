"""A run's steps for drawing and judging, kept to some hundred however long the run, and brought forward cheaply.

`read_history` reads a whole run once; given what it returned before, it reads only the steps since.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from core.records.run import Run
from core.records.step import Step
from core.store.runs.queries import get_run, to_step
from core.store.schema import runs, steps

POINTS = 500  # a chart has no more columns
FIRST, RECENT = 10, 60  # steps kept whole at both ends: what judgements about a run are made from
PHASES = ("rollout", "sync", "update", "resident")


@dataclass(frozen=True)
class History:
    """What is known of a run's steps.

    steps     in order: every `stride`-th one, the first FIRST and the last RECENT, and nothing twice
    stride    a power of two that keeps the evenly spread ones at POINTS or fewer
    last      the newest step that was read
    seconds   phase -> seconds, over all steps
    peaks     phase -> highest bytes, over all steps
    tokens    sampled in all steps
    """

    run: str
    attempt: int
    revision: int = -1
    steps: tuple[Step, ...] = ()
    stride: int = 1
    last: int = 0
    count: int = 0
    seconds: Mapping[str, float] = field(default_factory=dict)
    peaks: Mapping[str, int] = field(default_factory=dict)
    tokens: int = 0

    @property
    def drawn(self) -> list[Step]:
        """The steps on the chart's grid, the first and the last among them."""
        return [step for step in self.steps if step.number % self.stride == 0 or step.number in (1, self.last)]

    @property
    def recent(self) -> Sequence[Step]:
        return self.steps[-RECENT:]


def read_history(connection: sa.Connection, run_id: str, before: History | None = None) -> History:
    """The run's history as of now. Raises NotFound for a run that is gone.

    A resumed run may replace steps that are there already, so a change of it without a new step reads all again.
    """
    run = get_run(connection, run_id)
    if before is None or before.attempt != run.attempt or (run.attempt > 1 and run.step == before.last):
        if before is not None and before.revision == run.revision:
            return before
        return _whole(connection, run)
    fresh = _steps(connection, run_id, steps.c.number > before.last)
    return _forward(before, run, fresh)


def _whole(connection: sa.Connection, run: Run) -> History:
    stride = _stride(run.step)
    kept = {1, run.step, *range(stride, run.step + 1, stride)} | set(range(1, FIRST + 1))
    kept |= set(range(max(1, run.step - RECENT + 1), run.step + 1))
    found = _steps(connection, run.id, steps.c.number.in_(sorted(kept)))
    totals = _totals(connection, run.id)
    return History(run.id, run.attempt, run.revision, tuple(found), stride, run.step, **totals)


def _forward(before: History, run: Run, fresh: Sequence[Step]) -> History:
    """The history with these newer steps added, thinned again where they make it too long."""
    last = fresh[-1].number if fresh else before.last
    stride = _stride(last)
    kept = tuple(
        step
        for step in (*before.steps, *fresh)
        if step.number <= FIRST or step.number > last - RECENT or step.number % stride == 0
    )
    seconds, peaks = dict(before.seconds), dict(before.peaks)
    for step in fresh:
        for name, value in step.seconds.items():
            seconds[name] = seconds.get(name, 0.0) + value
        for name, value in step.memory.items():
            peaks[name] = max(peaks.get(name, 0), value)
    tokens = before.tokens + sum(int(step.metrics["tokens"] or 0) for step in fresh)
    count = before.count + len(fresh)
    return History(run.id, run.attempt, run.revision, kept, stride, last, count, seconds, peaks, tokens)


def _stride(last: int) -> int:
    stride = 1
    while last > POINTS * stride:
        stride *= 2
    return stride


def _steps(connection: sa.Connection, run_id: str, which: sa.ColumnElement[bool]) -> list[Step]:
    key = sa.select(runs.c.key).where(runs.c.id == run_id).scalar_subquery()
    query = sa.select(steps).where(steps.c.run == key, which).order_by(steps.c.number)
    return [to_step(row) for row in connection.execute(query)]


def _totals(connection: sa.Connection, run_id: str) -> dict[str, Any]:
    """Sums and peaks over all steps of the run, counted by SQLite."""
    key = sa.select(runs.c.key).where(runs.c.id == run_id).scalar_subquery()
    names = ("sync", "generate", "evaluate", "reward", "update")
    sums = [sa.func.sum(sa.func.json_extract(steps.c.seconds, f"$.{name}")) for name in names]
    most = [sa.func.max(sa.func.json_extract(steps.c.memory, f"$.{name}")) for name in PHASES]
    query = sa.select(sa.func.count(), sa.func.sum(steps.c.tokens), *sums, *most).where(steps.c.run == key)
    count, tokens, *found = connection.execute(query).one()
    return {
        "count": count,
        "tokens": tokens or 0,
        "seconds": {name: value for name, value in zip(names, found, strict=False) if value is not None},
        "peaks": {name: value for name, value in zip(PHASES, found[len(names) :], strict=True) if value is not None},
    }
