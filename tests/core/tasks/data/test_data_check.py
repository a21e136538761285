"""The check: bad rows by kind and line, duplicates, leaks, and what a run does with a bad row."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.errors import InvalidInput
from core.tasks.data import BadRow, Row, Table
from core.tasks.data.check import EXAMPLES, check_rows, reports
from core.tasks.data.order import Order, Split
from core.tasks.data.rules import Rules, Wanted, checked_row, next_row, problem_of

Open = Callable[..., Table]


def prompt_of(row: Row) -> str:
    return str(row["q"])


def words_of(rows: Sequence[Row]) -> list[int]:
    return [len(prompt_of(row).split()) for row in rows]


WANTED = (Wanted("q"), Wanted("a", ("text", "number")), Wanted("note", may_be_empty=True))
RULES = Rules(WANTED, prompt_of, words_of, longest=5, unit="words")


def objects(*rows: dict[str, Any]) -> str:
    return "".join(json.dumps({"note": "", **row}) + "\n" for row in rows)


def test_every_kind_in_jsonl_is_named_by_line(opened: Open) -> None:
    content = objects(
        {"q": "one", "a": 1},
        {"q": "one"},
        {"q": " ", "a": 1},
        {"q": "two", "a": None},
        {"q": ["a"], "a": 1},
        {"q": "two", "a": {"b": 1}},
        {"q": "a b c d e f", "a": 1},
    )
    table = opened("a.jsonl", content.encode() + b'{"q\n{"q": "\xe9"}\n')
    found = {kind: (bad.count, bad.examples) for kind, bad in check_rows(table, RULES).bad.items()}
    assert found == {
        "missing-column": (1, ("a.jsonl, line 2: it has no column 'a'.",)),
        "empty": (2, ("a.jsonl, line 3: its 'q' is empty.", "a.jsonl, line 4: its 'a' is empty.")),
        "wrong-type": (
            2,
            (
                "a.jsonl, line 5: its 'q' is a list where text is wanted.",
                "a.jsonl, line 6: its 'a' is an object where text or a number is wanted.",
            ),
        ),
        "too-long": (1, ("a.jsonl, line 7: its prompt has 6 words and no more than 5 fit.",)),
        "broken-line": (1, ("a.jsonl, line 8: it is not JSON: Unterminated string starting at at character 2.",)),
        "invalid-utf-8": (1, ("a.jsonl, line 9: its byte 8 (0xe9) is not UTF-8: save the file as UTF-8.",)),
    }


def test_every_kind_in_csv_is_named_by_line(opened: Open) -> None:
    content = b'q,a,note\n"one\nmore",1,\n,1,\na b c d e f,1,\none,1\none,1,2,3\n\xff,1,\n'
    found = {kind: bad.examples for kind, bad in check_rows(opened("a.csv", content), RULES).bad.items()}
    assert found == {
        "empty": ("a.csv, line 4: its 'q' is empty.",),
        "too-long": ("a.csv, line 5: its prompt has 6 words and no more than 5 fit.",),
        "too-few-fields": ("a.csv, line 6: it has 2 fields and the header has 3.",),
        "too-many-fields": ("a.csv, line 7: it has 4 fields and the header has 3.",),
        "invalid-utf-8": ("a.csv, line 8: its byte 1 (0xff) is not UTF-8: save the file as UTF-8.",),
    }
    lacking = check_rows(opened("b.csv", "q,a\none,1\n"), RULES).bad
    assert lacking["missing-column"].examples == ("b.csv, line 2: it has no column 'note'.",)


def test_every_kind_in_parquet_is_named_by_row(opened: Open, base: Path) -> None:
    rows = {"q": ["one", None, "a b c d e f", "four"], "a": [[1], [1], [1], []], "note": [None] * 4}
    pq.write_table(pa.table(rows), base / "a.parquet")
    found = {kind: bad.examples for kind, bad in check_rows(opened("a.parquet"), RULES).bad.items()}
    assert found == {
        "wrong-type": (
            "a.parquet, row 1: its 'a' is a list where text or a number is wanted.",
            "a.parquet, row 3: its 'a' is a list where text or a number is wanted.",
        ),
        "empty": ("a.parquet, row 2: its 'q' is empty.", "a.parquet, row 4: its 'a' is empty."),
    }


def test_the_first_thousand_come_at_once_then_all_and_examples_are_few(opened: Open) -> None:
    content = "q,a,note\n" + "".join(f"{number},{'' if number % 2 else 1},{'x' * 20}\n" for number in range(100_000))
    table, progress = opened("a.csv", content), []
    steps = reports(table, RULES, progress=lambda done, of: progress.append((done, of)))
    first = next(steps)
    assert (first.rows, first.whole, first.bad_rows) == (1000, False, 500)
    assert not table.complete
    *between, last = steps
    assert [report.rows for report in between] == sorted(report.rows for report in between)
    assert len(between) < 20
    assert (last.rows, last.whole, last.bad_rows) == (100_000, True, 50_000)
    assert len(last.bad["empty"].examples) == EXAMPLES
    assert progress[-1] == (100_000, 100_000)
    limited = check_rows(table, RULES, limit=10)
    assert (limited.rows, limited.whole) == (10, False)


def test_duplicates_are_counted_and_named(opened: Open) -> None:
    content = objects(*({"q": text, "a": 1} for text in ("one", "two", "one", "", "", "one", "three")))
    report = check_rows(opened("a.jsonl", content), RULES)
    assert report.duplicates == 2  # bad rows are not compared
    assert report.duplicate_examples == (
        "a.jsonl, line 3: its prompt is that of a.jsonl, line 1.",
        "a.jsonl, line 6: its prompt is that of a.jsonl, line 1.",
    )


def test_leaks_into_the_held_out_rows_are_counted(opened: Open) -> None:
    split = Split(30, 5)
    held_out, trained = split.evaluation_rows(), [row for row in range(30) if not split.holds_out(row)]
    texts = [f"question {row}" for row in range(30)]
    texts[trained[0]] = texts[trained[7]] = texts[held_out[0]]
    texts[trained[1]] = texts[trained[2]]  # a duplicate, and no leak
    table = opened("a.jsonl", objects(*({"q": text, "a": 1} for text in texts)))
    report = check_rows(table, RULES, split=split)
    assert (report.leaks, report.duplicates) == (2, 3)
    assert report.leak_examples == tuple(
        f"{table.where(row)}: its prompt is one for evaluation too." for row in sorted((trained[0], trained[7]))
    )


def test_leaks_into_another_table_are_counted(opened: Open) -> None:
    table = opened("a.jsonl", objects(*({"q": text, "a": 1} for text in ("one", "two", "three"))))
    other = opened("b.jsonl", objects(*({"q": text, "a": 1} for text in ("two", "four"))))
    report = check_rows(table, RULES, evaluation=other)
    assert (report.leaks, report.leak_examples[0]) == (1, "a.jsonl, line 2: its prompt is one for evaluation too.")


def test_a_wanted_column_of_images_is_refused(opened: Open) -> None:
    with pytest.raises(InvalidInput, match="a column of images"):
        check_rows(opened("a.csv", "q,a,note\ncat.png,1,\n"), RULES)


def test_a_run_leaves_bad_rows_out_or_stops(opened: Open) -> None:
    content = objects(*({"q": "" if number % 3 else f"q {number}", "a": 1} for number in range(30))) + "broken\n"
    table = opened("a.jsonl", content)
    order = Order(Split(len(table)), seed=1)
    position, asked = 0, []
    while position < 31:
        position, index, row = next_row(table, order, position, RULES, "leave-out")
        asked.append((position, index, row["q"]))
        position += 1
    assert sorted(index for _, index, _ in asked[:10]) == list(range(0, 30, 3))
    assert all(text == f"q {index}" for _, index, text in asked)
    resumed = next_row(table, order, asked[3][0] + 1, RULES, "leave-out")
    assert resumed[:2] == asked[4][:2]  # as if nothing had happened
    bad = next(place for place in range(31) if order.training_at(place) % 3)
    with pytest.raises(BadRow, match=f"{table.where(order.training_at(bad))}: "):
        next_row(table, order, bad, RULES, "stop")


def test_a_table_without_a_usable_row_is_refused(opened: Open) -> None:
    table = opened("a.jsonl", objects({"q": ""}, {"q": ""}))
    with pytest.raises(InvalidInput, match="in which no row can be used"):
        next_row(table, Order(Split(2), 0), 0, RULES, "leave-out")


def test_one_row_alone(opened: Open) -> None:
    assert problem_of({"q": "one", "a": 1, "note": None}, RULES) is None
    assert problem_of({"q": "one", "a": True, "note": "x"}, RULES) == (
        "wrong-type",
        "its 'a' is true or false where text or a number is wanted",
    )
    with pytest.raises(BadRow, match="line 3: its 'q' is empty"):
        checked_row(opened("a.csv", "q,a,note\none,1,\n,1,\n"), 1, RULES)
