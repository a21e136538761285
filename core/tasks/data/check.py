"""Whether a table's rows can be used: bad ones by kind with their lines, duplicates, and rows to train on whose prompt
is one for evaluation too.

Memory: 8 bytes a row, for a hash of each prompt, and as much again while duplicates are counted.
"""

import hashlib
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

import numpy as np

from core.tasks.data.order import Split
from core.tasks.data.rows import BadRow, Kind, Progress, Row
from core.tasks.data.rules import Problem, Rules, lengths_problem, refuse_unusable, wanted_problems
from core.tasks.data.table import Table

FIRST = 1000  # rows, before the first report
EXAMPLES = 10  # of each kind
GROWTH = 1.5  # how many times the rows of one report the next one has

Hashes = np.ndarray[Any, np.dtype[np.uint64]]


@dataclass(frozen=True)
class Bad:
    """Bad rows of one kind: how many, and the first of them as sentences with their lines."""

    count: int
    examples: tuple[str, ...]


@dataclass(frozen=True)
class Report:
    """What is known of the first `rows` rows.

    whole       whether these are all rows
    bad         kind -> bad rows; a row is counted once, under the first thing that is wrong with it
    duplicates  rows whose prompt an earlier row has
    leaks       rows to train on whose prompt is one for evaluation too
    *_examples  the first of them, as sentences
    """

    rows: int
    whole: bool
    bad: Mapping[Kind, Bad]
    duplicates: int = 0
    duplicate_examples: tuple[str, ...] = ()
    leaks: int = 0
    leak_examples: tuple[str, ...] = ()

    @property
    def bad_rows(self) -> int:
        return sum(each.count for each in self.bad.values())


def check_rows(
    table: Table,
    rules: Rules,
    *,
    limit: int | None = None,
    split: Split | None = None,
    evaluation: Table | None = None,
    progress: Progress | None = None,
) -> Report:
    """The report on all rows, or on the first `limit`; `progress` gets rows."""
    for report in reports(table, rules, limit=limit, split=split, evaluation=evaluation, progress=progress):
        last = report
    return last


def reports(
    table: Table,
    rules: Rules,
    *,
    limit: int | None = None,
    split: Split | None = None,
    evaluation: Table | None = None,
    progress: Progress | None = None,
) -> Iterator[Report]:
    """A report on the first 1,000 rows at once, then ever larger ones up to that on all rows.

    split       which rows are held out, where evaluation is on rows of the same table
    evaluation  the table that evaluation is on, where it is another
    Raises InvalidInput when the rules want a column that no task can use.
    """
    refuse_unusable(table, rules)
    tally = _Tally(table, rules, split, _prompt_hashes(evaluation, rules) if evaluation else None)
    rows, due = islice(table.scan(), limit), FIRST
    while chunk := list(islice(rows, FIRST)):
        tally.add(chunk)
        if tally.rows >= due:
            yield tally.report()
            due = int(tally.rows * GROWTH)
            if limit is None:
                table.build()  # now is the time to know how many there are
        if progress:
            progress(tally.rows, limit or table.known)
    yield tally.report(whole=limit is None or tally.rows < limit)


class _Tally:
    """What has been counted so far."""

    def __init__(self, table: Table, rules: Rules, split: Split | None, asked: Hashes | None) -> None:
        self._table, self._rules = table, rules
        self._held_out = np.array(sorted(split.evaluation_rows()) if split else [], np.int64)
        self._asked = asked  # hashes of the prompts of another table, for evaluation
        self.rows = 0
        self._counts: dict[Kind, int] = {}
        self._examples: dict[Kind, list[str]] = {}
        self._hashes = array("Q")  # of each row's prompt; 0 for a bad row

    def add(self, chunk: Sequence[Row | BadRow]) -> None:
        good = [(place, row) for place, row in enumerate(chunk, self.rows) if not isinstance(row, BadRow)]
        for row in chunk:
            if isinstance(row, BadRow):
                self._note(row.kind, partial(str, row))
        good = self._without(good, wanted_problems([row for _, row in good], self._rules))
        good = self._without(good, lengths_problem([row for _, row in good], self._rules))
        hashes = [0] * len(chunk)
        if prompt := self._rules.prompt:
            for place, row in good:
                hashes[place - self.rows] = _hash(prompt(row))
        self._hashes.extend(hashes)
        self.rows += len(chunk)

    def report(self, whole: bool = False) -> Report:
        bad = {kind: Bad(count, tuple(self._examples[kind])) for kind, count in self._counts.items()}
        hashes = np.frombuffer(self._hashes, np.uint64) if self.rows else np.zeros(0, np.uint64)
        repeated, firsts = _repeated(hashes)
        leaking = self._leaking(hashes)
        where = self._table.where
        return Report(
            self.rows,
            whole,
            bad,
            len(repeated),
            tuple(
                f"{where(int(row))}: its prompt is that of {where(int(first))}."
                for row, first in zip(repeated[:EXAMPLES], firsts[:EXAMPLES], strict=True)
            ),
            len(leaking),
            tuple(f"{where(int(row))}: its prompt is one for evaluation too." for row in leaking[:EXAMPLES]),
        )

    def _without(self, rows: list[tuple[int, Row]], problems: Sequence[Problem | None]) -> list[tuple[int, Row]]:
        """The rows that have no problem; the others are counted."""
        for (place, _), problem in zip(rows, problems, strict=True):
            if problem:
                self._note(problem[0], partial(self._sentence, place, problem[1]))
        return [row for row, problem in zip(rows, problems, strict=True) if not problem]

    def _sentence(self, row: int, problem: str) -> str:
        return f"{self._table.where(row)}: {problem}."

    def _note(self, kind: Kind, example: Callable[[], str]) -> None:
        self._counts[kind] = self._counts.get(kind, 0) + 1
        examples = self._examples.setdefault(kind, [])
        if len(examples) < EXAMPLES:
            examples.append(example())

    def _leaking(self, hashes: Hashes) -> Hashes:
        """Rows to train on whose prompt is one for evaluation too, ascending."""
        held_out = np.zeros(len(hashes), bool)
        held_out[self._held_out[self._held_out < len(hashes)]] = True
        asked = hashes[held_out] if self._asked is None else self._asked
        return np.flatnonzero(np.isin(hashes, asked[asked > 0]) & ~held_out).astype(np.uint64)


def _repeated(hashes: Hashes) -> tuple[Hashes, Hashes]:
    """(rows whose hash an earlier row has, ascending; the first row with that hash for each). 0 is no hash."""
    order = np.argsort(hashes, kind="stable")
    ordered = hashes[order]
    later = np.flatnonzero((ordered[1:] == ordered[:-1]) & (ordered[1:] > 0)) + 1
    rows = np.sort(order[later])
    firsts = order[np.searchsorted(ordered, hashes[rows[:EXAMPLES]])]
    return rows.astype(np.uint64), firsts.astype(np.uint64)


def _prompt_hashes(table: Table, rules: Rules) -> Hashes:
    """Hashes of the prompts of another table's good rows."""
    if rules.prompt is None:
        return np.zeros(0, np.uint64)
    return np.fromiter(_hashes(table.scan(), rules), np.uint64)


def _hashes(rows: Iterable[Row | BadRow], rules: Rules) -> Iterator[int]:
    assert rules.prompt is not None
    for row in rows:
        if not isinstance(row, BadRow) and wanted_problems([row], rules)[0] is None:
            yield _hash(rules.prompt(row))


def _hash(text: str) -> int:
    """8 bytes, never 0: among a million rows two different prompts share one in 1 of 40 million cases."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") or 1
