"""Filters as SQL. Each is a test of one completion, and where an index holds it, a list of all that pass."""

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sqlalchemy as sa

from core.errors import InvalidInput
from core.store.blocks import Array, Bounds, evidence_bit
from core.store.blocks import Columns as Packed
from core.store.searching import match_query
from core.store.tables import answers_search, completions, evidence, functions, groups, prompts_search, remarks, tags
from core.store.wanted import CompletionFilter

STEPS_LISTED = 1000  # a longer range of steps is most of a run, and better tested than listed
Clause = sa.ColumnElement[bool]
Columns = Any  # those of `completions`, or of a subquery with the same names
Test = Callable[[Packed], Array]


@dataclass(frozen=True)
class Condition:
    """One filter.

    probe       whether a row with these columns passes
    test        which completions of a block pass, by its columns `names`
    bounds      within which their values of a column lie
    ids         all completions that pass, for the caller to count up to some bound; None where no index knows
    probes      the probe asks the full-text index
    spans_runs  it may be asked of all runs at once
    """

    probe: Callable[[Columns], Clause]
    test: Test
    names: tuple[str, ...] = ("id",)
    bounds: Mapping[str, Bounds] = field(default_factory=dict)
    ids: sa.Select[Any] | None = None
    probes: bool = False
    spans_runs: bool = False


def conditions(
    connection: sa.Connection, run: int | None, wanted: CompletionFilter, most_found: int | None = None
) -> list[Condition]:
    """Everything that is asked. Raises InvalidInput for a reward function that the run does not have.

    most_found  the test of blocks for a search lets no more than the first so many pass
    """
    asked = [
        *_bounds(run, "reward", wanted.min_reward, wanted.max_reward),
        *_bounds(run, "advantage", wanted.min_advantage, wanted.max_advantage),
        *_bounds(run, "length", wanted.min_length, wanted.max_length),
    ]
    if wanted.score:
        place = function_place(connection, run, wanted.score, "score")
        asked += _bounds(run, f"score_{place}", wanted.min_score, wanted.max_score)
    first = wanted.first_step if wanted.step is None else wanted.step
    last = wanted.last_step if wanted.step is None else wanted.step
    if first is not None or last is not None:
        asked.append(_steps(run, first, last))
    if wanted.finish_reason:
        reason = wanted.finish_reason.encode()
        how = Condition(
            lambda c: c.finish_reason == wanted.finish_reason,
            lambda c: c["finish_reason"] == reason,
            ("finish_reason",),
        )
        asked.append(how)
    if wanted.flat is not None:
        asked.append(Condition(lambda c: c.flat.is_(wanted.flat), lambda c: c["flat"] == wanted.flat, ("flat",)))
    return [*asked, *_said(connection, run, wanted), *_searched(connection, run, wanted, most_found)]


def function_place(connection: sa.Connection, run: int | None, name: str, field: str) -> int:
    """The score column of a run's reward function. Raises InvalidInput."""
    query = sa.select(functions.c.name, functions.c.place).where(functions.c.run == run)
    known: dict[str, int] = {row.name: row.place for row in connection.execute(query)}
    if name not in known:
        names = ", ".join(known) or "none yet"
        raise InvalidInput(field, name, "which is no reward function of this run", f"choose one of {names}")
    return known[name]


def _bounds(run: int | None, name: str, low: float | None, high: float | None) -> list[Condition]:
    if low is None and high is None:
        return []
    ids = sa.select(completions.c.id).with_hint(completions, f"INDEXED BY completions_{name}", "sqlite")
    within = _between(completions.c[name], low, high)
    query = ids.where(completions.c.run == run, completions.c[name].is_not(None), within)
    return [_within(name, low, high, query)]


def _within(name: str, low: float | None, high: float | None, ids: sa.Select[Any] | None) -> Condition:
    def test(c: Packed) -> Array:
        above = np.ones(len(c[name]), bool) if low is None else c[name] >= low
        return above if high is None else above & (c[name] <= high)

    return Condition(lambda c: _between(c[name], low, high), test, (name,), {name: (low, high)}, ids)


def _between(column: Any, low: float | None, high: float | None) -> Clause:
    above = sa.true() if low is None else column >= low
    return above if high is None else sa.and_(above, column <= high)


def _steps(run: int | None, first: int | None, last: int | None) -> Condition:
    ids = None
    if first is not None and last is not None and last - first <= STEPS_LISTED:
        within = sa.select(groups.c.id).where(groups.c.run == run, _between(groups.c.step, first, last))
        ids = sa.select(completions.c.id).where(completions.c.group.in_(within))
    return _within("step", first, last, ids)


def _said(connection: sa.Connection, run: int | None, wanted: CompletionFilter) -> list[Condition]:
    """What people or the look at each step noted down."""
    found = []
    flagged = sa.select(remarks.c.completion).where(remarks.c.flagged.is_(True))
    if wanted.evidence:
        noticed = sa.select(evidence.c.completion).where(evidence.c.run == run, evidence.c.kind == wanted.evidence)
        one = noticed.correlate_except(evidence)
        bit = evidence_bit(wanted.evidence)
        found.append(
            Condition(
                lambda c: one.where(evidence.c.completion == c.id).exists(),
                lambda c: c["evidence"] & bit > 0,
                ("evidence",),
                ids=noticed,
            )
        )
    if wanted.tag:
        tagged = sa.select(tags.c.completion).where(tags.c.tag == wanted.tag)
        found.append(_listed(connection, tagged))
    if wanted.flagged:
        found.append(_listed(connection, flagged))
    if wanted.flagged is False:
        has = _among(connection, flagged)
        found.append(Condition(lambda c: c.id.not_in(flagged), lambda c: ~has(c)))
    return found


def _listed(connection: sa.Connection, ids: sa.Select[Any]) -> Condition:
    return Condition(lambda c: c.id.in_(ids), _among(connection, ids), ids=ids, spans_runs=True)


def _among(connection: sa.Connection, ids: sa.Select[Any]) -> Test:
    """Whether a completion is one of these, which are read when the first block is tested."""

    known = functools.cache(lambda: _sorted_ids(connection, ids))
    return lambda c: _is_in(c["id"], known())


def _sorted_ids(connection: sa.Connection, ids: sa.Select[Any]) -> Array:
    """What a query of one column finds; as one text, since row by row takes ten times as long."""
    text = connection.execute(sa.select(sa.func.group_concat(ids.subquery().c[0]))).scalar()
    return np.sort(np.fromstring(text, dtype=np.int64, sep=",")) if text else np.empty(0, np.int64)


def _is_in(values: Array, known: Array) -> Array:
    """For each value whether it is among the known ones, which are sorted."""
    near = known[slice(*np.searchsorted(known, (values.min(), values.max() + 1)))]
    return np.isin(values, near)


def _searched(
    connection: sa.Connection, run: int | None, wanted: CompletionFilter, most_found: int | None
) -> list[Condition]:
    found = []
    if wanted.fields:
        name, _, value = wanted.fields.partition("=")
        found.append(_of_groups(connection, _field_groups(run, name.strip(), value.strip())))
    if wanted.search and wanted.search_in == "prompts":
        matching = _matching(prompts_search, f"{{prompt}} : ({match_query(wanted.search)})")
        found.append(_of_groups(connection, _groups_of(run).where(groups.c.id.in_(matching))))
    if wanted.search and wanted.search_in == "answers":
        query = match_query(wanted.search)
        ids = _matching(answers_search, query).where(answers_search.c.rowid.between(*id_range(connection, run)))

        def holds(c: Columns) -> Clause:
            one = _matching(answers_search, query).where(answers_search.c.rowid == c.id)
            return one.correlate_except(answers_search).exists()

        found.append(Condition(holds, _among(connection, ids.limit(most_found)), ids=ids, probes=True))
    return found


def _of_groups(connection: sa.Connection, query: sa.Select[Any]) -> Condition:
    """The completions of these groups. The groups are looked up once and passed as one value."""
    known = _sorted_ids(connection, query)
    within = sa.select(sa.func.json_each(json.dumps(known.tolist())).table_valued("value").c.value)
    return Condition(
        lambda c: c.group.in_(within),
        lambda c: _is_in(c["group"], known),
        ("group",),
        ids=sa.select(completions.c.id).where(completions.c.group.in_(within)),
    )


def _groups_of(run: int | None) -> sa.Select[Any]:
    """Groups of a run, for a query that names them by id: their other indices would read all of them."""
    return sa.select(groups.c.id).with_hint(groups, "NOT INDEXED", "sqlite").where(groups.c.run == run)


def _field_groups(run: int | None, name: str, value: str) -> sa.Select[Any]:
    """Groups whose recipe field has this value. The full-text index finds candidates where the value has words."""
    path = '$."' + name.replace('"', "") + '"'
    stored = sa.func.json_extract(groups.c.fields, path)
    try:
        number: Any = float(value)
    except ValueError:
        number = None
    same = stored == value if number is None else sa.or_(stored == value, stored == number)
    if any(character.isalnum() for character in value) and value.isascii() and len(value) < 200:
        words = value.replace('"', " ").replace("\0", " ")
        matching = _matching(prompts_search, '{fields} : ("' + words + '")')
        return _groups_of(run).where(groups.c.id.in_(matching), same)
    return sa.select(groups.c.id).where(groups.c.run == run, same)


def _matching(index: sa.TableClause, query: str) -> sa.Select[Any]:
    """Rows of a full-text index that match, named id."""
    return sa.select(index.c.rowid.label("id")).where(sa.literal_column(index.name).op("MATCH")(query))


def id_range(connection: sa.Connection, run: int | None) -> tuple[int, int]:
    """Between which ids a run's completions lie; other runs' may lie there too. (0, 0) where there are none."""
    if run is None:
        return 0, 2**62
    each = sa.select(completions.c.id).with_hint(completions, "INDEXED BY completions_run", "sqlite")
    each = each.where(completions.c.run == run).limit(1)
    first = connection.execute(each.order_by(completions.c.id)).scalar()
    last = connection.execute(each.order_by(completions.c.id.desc())).scalar()
    return first or 0, last or 0
