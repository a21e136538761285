"""CSV: quotes, delimiters, headers, and lines that are none."""

import csv
import io
import random
from collections.abc import Callable

import pytest

from core.errors import InvalidInput
from core.tasks.data import BadRow, Table
from core.tasks.data.rows import MAX_ROW_BYTES

Open = Callable[..., Table]


def test_quoted_newlines_quotes_and_delimiters_are_text(opened: Open) -> None:
    content = '\ufeffq,a\r\n"two\r\nlines, ""quoted""",1\r\n\r\n5" pipe,=SUM(A1)\r\nlast,2'
    table = opened("a.csv", content)
    assert list(table.scan()) == [
        {"q": 'two\r\nlines, "quoted"', "a": "1"},
        {"q": '5" pipe', "a": "=SUM(A1)"},
        {"q": "last", "a": "2"},
    ]
    assert [table.where(index) for index in range(3)] == ["a.csv, line 2", "a.csv, line 5", "a.csv, line 6"]
    assert table.notes == ()


def test_rows_are_those_that_pythons_csv_module_reads(opened: Open) -> None:
    chance = random.Random(0)
    for _ in range(150):
        letters = [chance.choice('ab,,""\n\n ') for _ in range(chance.randint(20, 400))]
        content = "h1,h2\n" + "".join(letters).replace("\n", chance.choice(["\n", "\r\n"])) + '"\n'
        expected = [cells for cells in csv.reader(io.StringIO(content, newline="")) if cells][1:]
        found = list(opened("a.csv", content).scan())
        if any(isinstance(row, BadRow) and row.kind == "broken-line" for row in found):
            continue  # a quote is not closed, which the module passes over
        assert len(found) == len(expected)
        for row, cells in zip(found, expected, strict=True):
            assert isinstance(row, BadRow) == (len(cells) != 2)
            assert isinstance(row, BadRow) or [*row.values()] == cells


def test_records_over_many_chunks(opened: Open) -> None:
    chance = random.Random(1)
    rows = [
        [str(number), chance.choice(['a "b"\nc', "plain", "x,\n" * 100]) * chance.randint(1, 20)]
        for number in range(5000)
    ]
    text = io.StringIO(newline="")
    csv.writer(text).writerows([["n", "text"], *rows])
    table = opened("a.csv", text.getvalue())
    assert [[*row.values()] for row in table.scan() if not isinstance(row, BadRow)] == rows
    assert table.row(4321) == {"n": "4321", "text": rows[4321][1]}


@pytest.mark.parametrize(
    ("line", "kind", "problem"),
    [
        (b"1,2,3", "too-many-fields", "it has 3 fields and the header has 2"),
        (b"1", "too-few-fields", "it has 1 fields and the header has 2"),
        (b"caf\xe9,2", "invalid-utf-8", "(0xe9) is not UTF-8"),
        (b"a\x00b,2", "nul", "NUL byte"),
        (b"x" * (MAX_ROW_BYTES + 10) + b",2", "oversized", "longer than 4 MiB"),
        (b'"' + b"x\n" * 10 + b"x" * (MAX_ROW_BYTES + 10) + b'",2', "oversized", "longer than 4 MiB"),
    ],
)
def test_a_bad_row_is_named_by_line(opened: Open, line: bytes, kind: str, problem: str) -> None:
    table = opened("a.csv", b"q,a\n1,2\n\n" + line + b"\n3,4\n")
    with pytest.raises(BadRow) as failure:
        table.row(1)
    assert (failure.value.kind, failure.value.where) == (kind, "a.csv, line 4")
    assert problem in str(failure.value)
    assert table.row(0) == {"q": "1", "a": "2"}
    assert table.row(len(table) - 1) == {"q": "3", "a": "4"}


@pytest.mark.parametrize("rest", ["3,4\n" * 100, ("x" * 500 + ",4\n") * (MAX_ROW_BYTES // 400)])
def test_a_quote_that_is_never_closed_costs_its_own_line_alone(opened: Open, rest: str) -> None:
    table = opened("a.csv", 'q,a\n1,2\n"open,2\n\n' + rest)
    rows = list(table.scan())
    assert [isinstance(row, BadRow) for row in rows[:3]] == [False, True, False]
    assert sum(isinstance(row, BadRow) for row in rows) == 1
    assert len(rows) == 2 + rest.count("\n")
    assert table.where(2) == "a.csv, line 5"


def test_a_very_long_line_is_passed_over_piece_by_piece(opened: Open) -> None:
    table = opened("a.csv", "q,a\n" + "x" * (3 * MAX_ROW_BYTES) + "\n" + "3,4\n")
    assert [isinstance(row, BadRow) for row in table.scan()] == [True, False]
    assert table.where(1) == "a.csv, line 3"


@pytest.mark.parametrize(
    ("name", "delimiter", "note"),
    [("a.csv", ";", "semicolons"), ("a.csv", "\t", "tabs"), ("a.csv", ",", ""), ("a.tsv", "\t", "")],
)
def test_the_delimiter_is_guessed_and_said(opened: Open, name: str, delimiter: str, note: str) -> None:
    rows = [["question", "answer"], ["Is it 1, 2 or 3", "1"], ["Is it; or not", "2"], ["a, b, c", "3"]]
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows(rows)
    table = opened(name, text.getvalue())
    assert [[*row.values()] for row in table.first(9)] == rows[1:]
    assert table.notes == ((f"a.csv: cells are taken to be separated by {note}.",) if note else ())


def test_one_column_needs_no_delimiter(opened: Open) -> None:
    assert opened("a.csv", "question\none\ntwo\n").first(9) == [{"question": "one"}, {"question": "two"}]


def test_the_column_of_row_numbers_that_pandas_writes_gets_a_name(opened: Open) -> None:
    table = opened("a.csv", ",q\n0,one\n")
    assert table.row(0) == {"column_1": "0", "q": "one"}
    assert table.notes == ("a.csv: the first column has no name and is called column_1.",)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"q,q\n1,2\n", "the column 'q' twice"),
        (b"q,,r\n1,2,3\n", "has '' where the name of column 2"),
        (b"17,Paris\n18,Rome\n", "has '17' where the name of column 1"),
        (b"q,caf\xe9\n1,2\n", "header cannot be read"),
        (b'q,"a\n1,2\n', "a quote that is not closed"),
        (b",".join(b"c%d" % each for each in range(1001)) + b"\n", "1,001 columns"),
        (b"q,a\n", "no rows"),
        (b"q,a\r1,2\r", "old Macs"),
        (b"\xff\xfeq\x00", "UTF-16"),
    ],
)
def test_a_header_that_is_none_is_refused(opened: Open, content: bytes, problem: str) -> None:
    with pytest.raises(InvalidInput, match=problem):
        opened("a.csv", content)
