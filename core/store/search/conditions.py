"""Filters as SQL. Each is a test of one completion, and where an index holds it, a list of all that pass."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sqlalchemy as sa

from core.errors import InvalidInput
from core.store.columnar import Array, Bounds, evidence_bit
from core.store.columnar import Columns as SegmentColumns
from core.store.schema import answers_search, completions, evidence, functions, groups, prompts_search, remarks, tags
from core.store.search.filter import CompletionFilter
from core.store.search.fulltext import match_query
from core.store.search.id_sets import Between, IndexedIds, is_in, sorted_ids

MOST_ID = 2**62
STEPS_LISTED = 1000  # a longer range of steps is most of a run, and better tested than listed
Clause = sa.ColumnElement[bool]
Columns = Any  # those of `completions`, or of a subquery with the same names
Test = Callable[[SegmentColumns], Array]


@dataclass(frozen=True)
class Condition:
    """One filter.

    probe       whether a row with these columns passes
    test        which completions of a segment pass, by its columns `names`
    bounds      within which their values of a column lie
    ids         all completions that pass, for the caller to count up to some bound; None where no index knows
    probes      the probe asks the full-text index
    cut         the test of segments lets only the first of very many pass
    spans_runs  it may be asked of all runs at once
    """

    probe: Callable[[Columns], Clause]
    test: Test
    names: tuple[str, ...] = ("id",)
    bounds: Mapping[str, Bounds] = field(default_factory=dict)
    ids: sa.Select[Any] | None = None
    probes: bool = False
    cut: bool = False
    spans_runs: bool = False


def conditions(
    connection: sa.Connection, run: int | None, wanted: CompletionFilter, most_found: int | None = None
) -> list[Condition]:
    """Everything that is asked. Raises InvalidInput for a reward function that the run does not have.

    most_found  the test of segments for a search lets no more than the first so many pass
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
    def test(c: SegmentColumns) -> Array:
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
    """Whether a completion is one of these, which are read when the first segment is tested."""
    known = functools.cache(lambda: sorted_ids(connection, ids))
    return lambda c: is_in(c["id"], known())


def _searched(
    connection: sa.Connection, run: int | None, wanted: CompletionFilter, most_found: int | None
) -> list[Condition]:
    found = []
    if wanted.fields:
        name, _, value = wanted.fields.partition("=")
        alike, between = _with_field(name.strip(), value.strip())
        found.append(_of_groups(connection, run, between, lambda group: alike.where(groups.c.id == group)))
    if wanted.search and wanted.search_in == "prompts":
        matching = _matching(prompts_search, f"{{prompt}} : ({match_query(wanted.search)})")
        found.append(_of_groups(connection, run, lambda low, high: _between_ids(matching, low, high)))
    if wanted.search and wanted.search_in == "answers":
        found.append(_answers(connection, run, match_query(wanted.search), most_found))
    return found


def _answers(connection: sa.Connection, run: int | None, query: str, most_found: int | None) -> Condition:
    """Those whose text matches; for segments, of more than `most_found` the first so many."""
    rowid, first_last = answers_search.c.rowid, id_range(connection, run)
    ids = _matching(answers_search, query).where(rowid.between(*first_last))
    last = None if most_found is None else connection.execute(ids.limit(1).offset(most_found)).scalar()
    listed = IndexedIds(connection, lambda low, high: _matching(answers_search, query).where(rowid.between(low, high)))

    def probe(c: Columns) -> Clause:
        return _matching(answers_search, query).where(rowid == c.id).correlate_except(answers_search).exists()

    def test(c: SegmentColumns) -> Array:
        return listed.has(c["id"]) if last is None else listed.has(c["id"]) & (c["id"] < last)

    bounds: Mapping[str, Bounds] = {} if last is None else {"id": (None, last)}
    return Condition(probe, test, bounds=bounds, ids=ids, probes=True, cut=last is not None)


def _of_groups(
    connection: sa.Connection,
    run: int | None,
    between: Between,
    probe: Callable[[Columns], sa.Select[Any]] | None = None,
) -> Condition:
    """The completions of the groups that are found between two ids of groups, of whatever run.

    probe  the group with this id, where it is found; None: by asking the full-text index
    """
    found = between(0, MOST_ID).subquery()
    source = found.join(completions, completions.c.group == found.c.id)
    ids = sa.select(completions.c.id).select_from(source).where(completions.c.run == run)
    listed = IndexedIds(connection, between)
    return Condition(
        lambda c: (probe(c.group) if probe else between(c.group, c.group)).exists(),
        lambda c: listed.has(c["group"]),
        ("group",),
        ids=ids.with_hint(completions, "INDEXED BY ix_completions_group", "sqlite"),
        probes=probe is None,
    )


def _with_field(name: str, value: str) -> tuple[sa.Select[Any], Between]:
    """Groups whose recipe field has this value, and those between two ids.

    The full-text index finds candidates where the value has words.
    """
    path = '$."' + name.replace('"', "") + '"'
    stored = sa.func.json_extract(groups.c.fields, path)
    try:
        number: Any = float(value)
    except ValueError:
        number = None
    same = stored == value if number is None else sa.or_(stored == value, stored == number)
    # By id: their other indices would read all of them.
    alike = sa.select(groups.c.id).with_hint(groups, "NOT INDEXED", "sqlite").where(same).correlate_except(groups)
    if not any(character.isalnum() for character in value) or not value.isascii() or len(value) >= 200:
        return alike, lambda low, high: alike.where(groups.c.id.between(low, high))
    words = value.replace('"', " ").replace("\0", " ")
    matching = _matching(prompts_search, '{fields} : ("' + words + '")')
    return alike, lambda low, high: alike.where(groups.c.id.in_(_between_ids(matching, low, high)))


def _between_ids(matching: sa.Select[Any], low: Any, high: Any) -> sa.Select[Any]:
    """Of what a full-text index finds, the part between two ids, which may be columns of a query around it."""
    return matching.where(matching.selected_columns.id.between(low, high)).correlate_except(*matching.get_final_froms())


def _matching(index: sa.TableClause, query: str) -> sa.Select[Any]:
    """Rows of a full-text index that match, named id."""
    return sa.select(index.c.rowid.label("id")).where(sa.literal_column(index.name).op("MATCH")(query))


def id_range(connection: sa.Connection, run: int | None) -> tuple[int, int]:
    """Between which ids a run's completions lie; other runs' may lie there too. (0, 0) where there are none."""
    if run is None:
        return 0, MOST_ID
    each = sa.select(completions.c.id).with_hint(completions, "INDEXED BY completions_run", "sqlite")
    each = each.where(completions.c.run == run).limit(1)
    first = connection.execute(each.order_by(completions.c.id)).scalar()
    last = connection.execute(each.order_by(completions.c.id.desc())).scalar()
    return first or 0, last or 0
