"""Finding completions among a million in a moment: a page at a time, in any order, under any filters.

No index serves every pair of filter and order, so three ways are tried, the cheapest first:

1. One of the filters matches few completions (found out by counting up to a bound in its index): only those are
   looked at.
2. The order's own index is walked for a stretch. Where the filters match a fair share the page is full by then.
3. All of the run's rows are read, which hold no text and are small, and the best `limit` are kept.

A page starts where the one before ended (keyset), so the thousandth costs what the first does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from core.errors import InvalidInput
from core.evidence import KINDS
from core.runs import Completion
from core.store.browsing import get_run
from core.store.conditions import Condition, conditions, function_place, id_range
from core.store.sampled import fetch
from core.store.tables import completions, evidence, functions, runs
from core.store.wanted import CompletionFilter

WALK, WALK_SEARCHING = 6_000, 1_500  # entries; to ask the full-text index about each costs more
COUNTED = 10_000
BINS = 20
COLUMNS = {"newest": "id", "oldest": "id", "reward": "reward", "advantage": "advantage", "length": "length"}
Key = Any  # a column of `completions`, or a test of it


@dataclass(frozen=True)
class Order:
    """One way to sort: by `key`, then by id in the same direction. Completions without a value come last.

    index  that serves it
    gaps   some completions have no value
    """

    key: Key
    index: str
    descending: bool
    gaps: bool

    def terms(self, unvalued: bool) -> list[Any]:
        columns = [completions.c.id] if unvalued or self.key is completions.c.id else [self.key, completions.c.id]
        return [column.desc() if self.descending else column.asc() for column in columns]

    def beyond(self, value: float | None, last: int) -> Key:
        """What comes after this completion, among those with a value (or among those without)."""
        if value is None or self.key is completions.c.id:
            return completions.c.id < last if self.descending else completions.c.id > last
        here, there = sa.tuple_(self.key, completions.c.id), sa.tuple_(sa.literal(value), sa.literal(last))
        return here < there if self.descending else here > there


@dataclass(frozen=True)
class Overview:
    """How many completions match, and how their rewards lie.

    count    of what matches, up to COUNTED; `more` says that there are more
    edges    BINS + 1 bounds of the bins; empty when nothing that matches has a reward
    """

    count: int
    more: bool
    edges: tuple[float, ...]
    bins: tuple[int, ...]
    unscored: int


def list_completions(
    connection: sa.Connection, run_id: str, wanted: CompletionFilter, with_tokens: bool = False
) -> tuple[list[Completion], str]:
    """A page of a run's completions and the cursor of the next page ("" at the end).

    With an empty run_id, of all runs; then what is wanted must be flagged or have a tag. Raises InvalidInput.
    """
    run = _run_key(connection, run_id)
    asked = conditions(connection, run, wanted)
    if run is None and not any(condition.spans_runs for condition in asked):
        raise InvalidInput("run", run_id, "which names no run", "name a run, or ask for flagged or tagged completions")
    order = _order(connection, run, wanted.sort)
    value, last = _read_cursor(wanted.after)
    few = _few(connection, asked)
    ids: list[tuple[int, Any]] = []
    if not (wanted.after and value is None and order.gaps):
        place = order.beyond(value, last) if wanted.after else None
        ids = _search(connection, run, asked, few, order, place, wanted.limit + 1, unvalued=False)
    if order.gaps and len(ids) <= wanted.limit:
        place = order.beyond(None, last) if wanted.after and value is None else None
        ids += _search(connection, run, asked, few, order, place, wanted.limit + 1 - len(ids), unvalued=True)
    page = ids[: wanted.limit]
    cursor = _write_cursor(*page[-1]) if len(ids) > wanted.limit else ""
    return fetch(connection, [each for each, _ in page], with_tokens), cursor


def overview(connection: sa.Connection, run_id: str, wanted: CompletionFilter) -> Overview:
    """Count and reward histogram of what matches, of at most COUNTED completions."""
    run = _run_key(connection, run_id)
    asked = conditions(connection, run, wanted)
    query = sa.select(completions.c.reward).limit(COUNTED + 1)
    query = _filtered(connection, run, asked, _few(connection, asked), query)
    rewards = list(connection.execute(query).scalars())
    known = [reward for reward in rewards[:COUNTED] if reward is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)
    low, high = min(low, 0.0), max(high, 1.0, low + 1e-6)  # most rewards live between 0 and 1
    bins = [0] * BINS
    for reward in known:
        bins[min(BINS - 1, int((reward - low) / (high - low) * BINS))] += 1
    edges = tuple(low + (high - low) * place / BINS for place in range(BINS + 1)) if known else ()
    more = len(rewards) > COUNTED
    count = min(len(rewards), COUNTED)
    return Overview(count, more, edges, tuple(bins), count - len(known))


def score_functions(connection: sa.Connection, run_id: str) -> list[str]:
    """The reward functions of a run that can be filtered and sorted by."""
    query = sa.select(functions.c.name).join(runs, runs.c.key == functions.c.run).where(runs.c.id == run_id)
    return list(connection.execute(query.order_by(functions.c.place)).scalars())


def evidence_counts(connection: sa.Connection, run_id: str) -> dict[str, int]:
    """How many completions of a run each kind of evidence was found for, in the order of KINDS."""
    query = sa.select(evidence.c.kind, sa.func.count()).join(runs, runs.c.key == evidence.c.run)
    counts = {row[0]: row[1] for row in connection.execute(query.where(runs.c.id == run_id).group_by(evidence.c.kind))}
    return {kind: counts[kind] for kind in KINDS if kind in counts}


def _search(
    connection: sa.Connection,
    run: int | None,
    asked: Sequence[Condition],
    few: Condition | None,
    order: Order,
    place: Key | None,
    limit: int,
    unvalued: bool,
) -> list[tuple[int, Any]]:
    """(id, sort value) of up to `limit` completions that match, in order."""
    value: Key = sa.null() if unvalued else order.key
    clauses: list[Key] = [] if place is None else [place]
    if order.key is not completions.c.id:  # said even where there are no gaps: the scores' indices hold values only
        clauses.append(order.key.is_(None) if unvalued else order.key.is_not(None))
    terms = order.terms(unvalued)
    if few is None and run is not None:
        stretch = WALK_SEARCHING if any(condition.probes for condition in asked) else WALK
        index = "completions_run" if unvalued and order.index != "completions_reward" else order.index
        walked = sa.select(completions).with_hint(completions, f"INDEXED BY {index}", "sqlite")
        walked = walked.where(completions.c.run == run, *clauses).order_by(*terms).limit(max(stretch, limit))
        seen = walked.subquery().c
        tested = sa.select(seen.id, sa.null() if unvalued else seen[order.key.key])
        tested = tested.where(*(condition.probe(seen) for condition in asked)).limit(limit)
        found = [(row[0], row[1]) for row in connection.execute(tested)]
        if len(found) == limit or not asked:
            return found
    query = _filtered(connection, run, asked, few, sa.select(completions.c.id, value)).where(*clauses)
    return [(row[0], row[1]) for row in connection.execute(query.order_by(*terms).limit(limit))]


def _few(connection: sa.Connection, asked: Sequence[Condition]) -> Condition | None:
    """A condition that few completions meet, if there is one."""
    for condition in asked:
        if condition.ids is not None:
            some = condition.ids.limit(condition.few + 1).subquery()
            if connection.execute(sa.select(sa.func.count()).select_from(some)).scalar_one() <= condition.few:
                return condition
    return None


def _filtered(
    connection: sa.Connection,
    run: int | None,
    asked: Sequence[Condition],
    few: Condition | None,
    query: sa.Select[Any],
) -> sa.Select[Any]:
    """All that match, in no order: from the few of one condition, from the full-text index, or from every row."""
    query = query.with_hint(completions, "NOT INDEXED", "sqlite")  # other indices would send it all over the file
    rest = [condition.probe(completions.c) for condition in asked if condition is not few]
    if few is not None:
        assert few.ids is not None
        return query.where(completions.c.id.in_(few.ids), *_of_run(run), *rest)
    searched = next((condition for condition in asked if condition.probes), None)
    if searched is not None:
        assert searched.ids is not None
        found = searched.ids.subquery("found")
        rest = [condition.probe(completions.c) for condition in asked if condition is not searched]
        # The plus keeps SQLite from asking the full-text index anew for each completion.
        joined = completions.c.id == sa.literal_column("+found.id")
        return query.select_from(found.join(completions, joined)).where(*_of_run(run), *rest)
    assert run is not None
    within = completions.c.id.between(*id_range(connection, run))
    return query.where(within, *_of_run(run), *rest)


def _of_run(run: int | None) -> list[Key]:
    return [] if run is None else [completions.c.run == run]


def _order(connection: sa.Connection, run: int | None, sort: str) -> Order:
    name, descending = sort.removeprefix("-"), not sort.startswith("-") and sort != "oldest"
    if name not in COLUMNS:
        name = name.removeprefix("score:")
        column = completions.c[f"score_{function_place(connection, run, name, 'sort')}"]
        mine = functions.c.run == run, functions.c.name == name
        gaps = connection.execute(sa.select(functions.c.gaps).where(*mine)).scalar_one()
        return Order(column, f"completions_{column.name}", descending, bool(gaps))
    column = completions.c[COLUMNS[name]]
    index = "completions_run" if column is completions.c.id else f"completions_{column.name}"
    unscored = sa.select(completions.c.id).where(completions.c.reward.is_(None)).limit(1)
    if run is not None:
        unscored = unscored.where(completions.c.run == run)
    gaps = column is completions.c.reward and connection.execute(unscored).first() is not None
    return Order(column, index, descending, gaps)


def _run_key(connection: sa.Connection, run_id: str) -> int | None:
    if not run_id:
        return None
    get_run(connection, run_id)
    return connection.execute(sa.select(runs.c.key).where(runs.c.id == run_id)).scalar_one()


def _write_cursor(last: int, value: float | None) -> str:
    return f"{last}:{'' if value is None else repr(value)}"


def _read_cursor(cursor: str) -> tuple[float | None, int]:
    """(sort value, id) of the last completion seen; (None, 0) at the start."""
    if not cursor:
        return None, 0
    last, _, value = cursor.partition(":")
    try:
        return float(value) if value else None, int(last)
    except ValueError:
        raise InvalidInput("after", cursor, "which is no cursor", "pass the `next` of the page before") from None
