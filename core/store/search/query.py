"""A search of completions among a million in a moment: a page at a time, in any order, under any filters.

No index serves every pair of filter and order, so three ways are tried, the cheapest first:

1. One of the filters matches few completions (found out by counting up to a bound in its index): only those are
   looked at.
2. The order's own index is walked for a stretch. Where the filters match a fair share the page is full by then.
3. Everything is looked at, in segments of columns (`core.store.columnar`), and the best `limit` are kept.

A page starts where the one before ended (keyset), so the thousandth costs what the first does.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa

from core.errors import InvalidInput
from core.insights.reward_hacking import KINDS
from core.records.rollout import Completion
from core.store.columnar import Array
from core.store.rollouts.load import load_completions
from core.store.runs.queries import get_run
from core.store.schema import completions, functions, runs
from core.store.search import scan
from core.store.search.conditions import Condition, conditions, function_place
from core.store.search.filter import CompletionFilter

BINS = 20
COLUMNS = {"newest": "id", "oldest": "id", "reward": "reward", "advantage": "advantage", "length": "length"}
Place = tuple[float | None, int]  # (sort value, id) of a completion
Key = Any  # a column of `completions`, or a test of it


@dataclass(frozen=True)
class Effort:
    """How many entries of an index the first ways may look at before the next is tried.

    few      matches of one filter, to be looked at one by one; `few_found` where the full-text index knows them
    walk     entries along the order; `walk_searching` where the full-text index is asked about each, which takes longer
    counted  matches of a search that are counted and put into the histogram
    """

    few: int = 3_000
    few_found: int = 6_000
    walk: int = 1_000
    walk_searching: int = 300
    counted: int = 200_000


USUAL = Effort()


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

    more     a search found so much that only a part was looked at: `count` is the least there are
    edges    BINS + 1 bounds of the bins; empty when nothing that matches has a reward
    """

    count: int
    more: bool
    edges: tuple[float, ...]
    bins: tuple[int, ...]
    unscored: int


def list_completions(
    connection: sa.Connection,
    run_id: str,
    wanted: CompletionFilter,
    with_tokens: bool = False,
    effort: Effort = USUAL,
) -> tuple[list[Completion], str]:
    """A page of a run's completions and the cursor of the next page ("" at the end).

    With an empty run_id, of all runs; then what is wanted must be flagged or have a tag. Raises InvalidInput.
    """
    run = _run_key(connection, run_id)
    asked = conditions(connection, run, wanted)
    question = SearchQuery(connection, run, asked, _few(connection, run, asked, effort), effort)
    order = _order(connection, run, wanted.sort)
    after = _read_cursor(wanted.after) if wanted.after else None
    beyond_values = after is not None and after[0] is None and order.gaps
    ids = [] if beyond_values else question.search(order, after, wanted.limit + 1, unvalued=False)
    if order.gaps and len(ids) <= wanted.limit:
        after = after if beyond_values else None
        ids += question.search(order, after, wanted.limit + 1 - len(ids), unvalued=True)
    page = ids[: wanted.limit]
    cursor = _write_cursor(*page[-1]) if len(ids) > wanted.limit else ""
    return load_completions(connection, [each for each, _ in page], with_tokens), cursor


def overview(connection: sa.Connection, run_id: str, wanted: CompletionFilter, effort: Effort = USUAL) -> Overview:
    """Count and reward histogram of all that match; with a search that finds very much, of a part of it."""
    run = _run_key(connection, run_id)
    asked = conditions(connection, run, wanted, effort.counted)
    few = _few(connection, run, asked, effort)
    more = few is None and any(condition.cut for condition in asked)
    low, high = _reward_range(connection, run)
    count, scored, bins = 0, 0, np.zeros(BINS, np.int64)
    for rewards in SearchQuery(connection, run, asked, few, effort).rewards():
        known = rewards[~np.isnan(rewards)]
        places = ((known - low) * (BINS / (high - low))).astype(np.int64)
        bins += np.bincount(np.clip(places, 0, BINS - 1), minlength=BINS)
        count, scored = count + len(rewards), scored + len(known)
    edges = np.linspace(low, high, BINS + 1).tolist() if scored else ()
    return Overview(count, more, tuple(edges), tuple(bins.tolist()), count - scored)


def _reward_range(connection: sa.Connection, run: int | None) -> tuple[float, float]:
    """From the lowest to the highest reward of a run, or of all, and at least from 0 to 1, where most rewards live."""
    each = sa.select(completions.c.reward).where(completions.c.reward.is_not(None)).limit(1)
    if run is not None:
        each = each.where(completions.c.run == run).with_hint(completions, "INDEXED BY completions_reward", "sqlite")
    low, high = (
        connection.execute(each.order_by(order)).scalar()
        for order in (completions.c.reward.asc(), completions.c.reward.desc())
    )
    return min(low or 0.0, 0.0), max(high or 1.0, 1.0)


def score_functions(connection: sa.Connection, run_id: str) -> list[str]:
    """The reward functions of a run that can be filtered and sorted by."""
    query = sa.select(functions.c.name).join(runs, runs.c.key == functions.c.run).where(runs.c.id == run_id)
    return list(connection.execute(query.order_by(functions.c.place)).scalars())


def evidence_counts(connection: sa.Connection, run_id: str) -> dict[str, int]:
    """How many completions of a run each kind of evidence was found for, in the order of KINDS."""
    run = _run_key(connection, run_id)
    if run is None:
        return {}
    counts = scan.evidence_counts(connection, run)
    return {kind: counts[kind] for kind in KINDS if counts[kind]}


@dataclass(frozen=True)
class SearchQuery:
    """All filters of one question. `few` is one of them that few completions meet, if there is such."""

    connection: sa.Connection
    run: int | None
    asked: Sequence[Condition]
    few: Condition | None
    effort: Effort

    def search(self, order: Order, after: Place | None, limit: int, unvalued: bool) -> list[tuple[int, Any]]:
        """(id, sort value) of up to `limit` completions that match, in order, from those after a place."""
        clauses: list[Key] = [] if after is None else [order.beyond(*after)]
        if order.key is not completions.c.id:  # even where there are no gaps: the scores' indices hold values only
            clauses.append(order.key.is_(None) if unvalued else order.key.is_not(None))
        if self.run is None or self.few is not None:
            query = self._from_few(sa.null() if unvalued else order.key).where(*clauses)
            return self._pairs(query.order_by(*order.terms(unvalued)).limit(limit))
        by_id = unvalued or order.key is completions.c.id
        listing = by_id and any(condition.probes for condition in self.asked)  # which knows the order by itself
        found = [] if listing else self._walk(order, clauses, limit, unvalued)
        if len(found) == limit or not self.asked:
            return found
        key, run = order.key.key, self.run
        return scan.best(self.connection, run, self.asked, key, order.descending, after, limit, unvalued)

    def rewards(self) -> Iterator[Array]:
        """The rewards of all that match, in stretches; NaN where there is none."""
        if self.run is None or self.few is not None:
            found = [value for (value,) in self.connection.execute(self._from_few(completions.c.reward, with_id=False))]
            yield np.array(found, np.float64)
            return
        for _, values in scan.matching(self.connection, self.run, self.asked, "reward"):
            yield values

    def _walk(self, order: Order, clauses: Sequence[Key], limit: int, unvalued: bool) -> list[tuple[int, Any]]:
        """What matches in the first stretch of the order."""
        searching = any(condition.probes for condition in self.asked)
        stretch = self.effort.walk_searching if searching else self.effort.walk
        index = "completions_run" if unvalued and order.index != "completions_reward" else order.index
        walked = sa.select(completions).with_hint(completions, f"INDEXED BY {index}", "sqlite")
        walked = walked.where(completions.c.run == self.run, *clauses).order_by(*order.terms(unvalued))
        seen = walked.limit(max(stretch, limit)).subquery().c
        tested = sa.select(seen.id, sa.null() if unvalued else seen[order.key.key])
        return self._pairs(tested.where(*(condition.probe(seen) for condition in self.asked)).limit(limit))

    def _from_few(self, value: Key, with_id: bool = True) -> sa.Select[Any]:
        """All that match, in no order, from the few of one filter."""
        assert self.few is not None
        assert self.few.ids is not None
        query = sa.select(completions.c.id, value) if with_id else sa.select(value)
        query = query.with_hint(completions, "NOT INDEXED", "sqlite")  # others would send it all over the file
        rest = [condition.probe(completions.c) for condition in self.asked if condition is not self.few]
        mine = [] if self.run is None else [completions.c.run == self.run]
        return query.where(completions.c.id.in_(self.few.ids), *mine, *rest)

    def _pairs(self, query: sa.Select[Any]) -> list[tuple[int, Any]]:
        return [(row[0], row[1]) for row in self.connection.execute(query)]


def _few(connection: sa.Connection, run: int | None, asked: Sequence[Condition], effort: Effort) -> Condition | None:
    """A condition that few completions meet, if there is one; over all runs, one that names its completions.

    Raises InvalidInput where nothing names them.
    """
    if run is None:
        for condition in asked:
            if condition.spans_runs:
                return condition
        raise InvalidInput("run", "", "which names no run", "name a run, or ask for flagged or tagged completions")
    for condition in asked:
        most = effort.few_found if condition.probes else effort.few
        if condition.ids is not None:
            some = condition.ids.limit(most + 1).subquery()
            if connection.execute(sa.select(sa.func.count()).select_from(some)).scalar_one() <= most:
                return condition
    return None


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
