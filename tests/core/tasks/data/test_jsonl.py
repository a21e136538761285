"""JSONL: rows by number, and whatever may stand on a line."""

import json
import random
from collections.abc import Callable
from typing import Any

import pytest

from core.errors import InvalidInput
from core.tasks.data import BadRow, Table
from core.tasks.data.rows import MAX_ROW_BYTES

Open = Callable[..., Table]


def test_rows_by_number_and_by_line(opened: Open) -> None:
    content = '\ufeff{"q": "é"}\r\n\r\n{"q": "two"}\n\n{"q": "three"}'
    table = opened("a.jsonl", content)
    assert [table.row(index)["q"] for index in (2, 0, 1)] == ["three", "é", "two"]
    assert [table.where(index) for index in range(3)] == ["a.jsonl, line 1", "a.jsonl, line 3", "a.jsonl, line 5"]
    assert len(table) == 3
    with pytest.raises(IndexError):
        table.row(3)
    with pytest.raises(IndexError):
        table.row(-1)


def test_rows_over_many_chunks_are_those_of_the_file(opened: Open) -> None:
    chance = random.Random(0)
    rows = [{"n": number, "text": "x" * chance.randint(0, 2000)} for number in range(3000)]  # 3 MB, some blank lines
    content = "".join(json.dumps(row) + chance.choice(["\n", "\r\n", "\n\n"]) for row in rows)
    table = opened("a.jsonl", content)
    lines = content.split("\n")
    assert list(table.scan()) == rows
    assert [table.row(place) for place in (2999, 7, 1500)] == [rows[2999], rows[7], rows[1500]]
    for place in chance.sample(range(3000), 100):
        number = int(table.where(place).rpartition(" ")[2])
        assert json.loads(lines[number - 1]) == rows[place]


GOOD = '{"q": "fine"}'


@pytest.mark.parametrize(
    ("line", "kind", "problem"),
    [
        (b'{"q": ', "broken-line", "it is not JSON: Expecting value at character 7"),
        (b"[1, 2]", "broken-line", "it is not an object"),
        (b'"text"', "broken-line", "it is not an object"),
        (b"   ", "broken-line", "it is not JSON"),
        (b'{"q": NaN}', "broken-line", "NaN is not JSON"),
        (b'{"q": 1e999}', "broken-line", "larger than any number"),
        (b'{"q": ' + b"1" * 5000 + b"}", "broken-line", "it is not JSON"),
        (b'{"q": "caf\xe9"}', "invalid-utf-8", "its byte 11 (0xe9) is not UTF-8: save the file as UTF-8"),
        (b'{"q": "\\ud800"}', "invalid-utf-8", "half of a surrogate pair"),
        (b'{"q": "a\x00b"}', "nul", "NUL byte"),
        (b'{"q": ["a", {"b\\u0000": 1}]}', "nul", "NUL character"),
        (b'{"q": "a\x01b"}', "broken-line", "Invalid control character"),
        (b'{"q":' * 100_000, "broken-line", "more than 64 deep"),
        (b'{"q": ' + b"[" * 200 + b"]" * 200 + b"}", "broken-line", "more than 64 deep"),
        (b'{"q": "' + b"x" * MAX_ROW_BYTES + b'"}', "oversized", "it is longer than 4 MiB"),
    ],
)
def test_a_bad_row_is_named_by_line_and_costs_no_other(opened: Open, line: bytes, kind: str, problem: str) -> None:
    table = opened("a.jsonl", GOOD.encode() + b"\n\n" + line + b"\n" + GOOD.encode())
    with pytest.raises(BadRow) as failure:
        table.row(1)
    assert failure.value.kind == kind
    assert str(failure.value).startswith("a.jsonl, line 3: ")
    assert problem in str(failure.value)
    assert table.row(0) == table.row(2) == {"q": "fine"}
    assert [isinstance(row, BadRow) for row in table.scan()] == [False, True, False]


def test_harmless_oddities_are_text(opened: Open) -> None:
    row = {
        "q": "=SUM(A1)",
        "emoji": "👩‍👩‍👧",
        "escape": "\x1b[31m",
        "deep": [[[[1]]]],
        "big": 10**300,
        "true": True,
        "none": None,
    }
    for escaped in (True, False):
        assert opened("a.jsonl", json.dumps(row, ensure_ascii=escaped)).row(0) == row


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b'\xff\xfe{\x00"\x00', "UTF-16"),
        (b' [\n{"q": 1}]', "one JSON list"),
        (b"\n\r\n\n", "no rows"),
        (b"", "an empty file"),
    ],
)
def test_what_is_no_jsonl_is_refused(opened: Open, content: bytes, problem: str) -> None:
    with pytest.raises(InvalidInput, match=problem):
        opened("a.json", content)


def test_columns_are_those_of_the_first_rows(opened: Open, lines: Callable[..., str]) -> None:
    chat: list[Any] = [{"role": "user", "content": "hi"}]
    content = lines(
        {"q": "", "n": 1}, {"q": "two", "n": "x", "chat": chat}, {"q": "three", "n": 2, "picture": "a/b.PNG"}
    )
    seen = {column.name: column for column in opened("a.jsonl", content).columns}
    assert list(seen) == ["q", "n", "chat", "picture"]
    assert seen["q"].sample == "two"
    assert seen["n"].types == ("number", "text")
    assert seen["chat"].types == ("nothing", "messages")
    assert [column.media for column in seen.values()] == ["", "", "", "images"]
