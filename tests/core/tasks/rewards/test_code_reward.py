"""Completions that hold programs: which text is the program, what its tests say, and what hostile programs gain."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sandbox_support import HAD, every_level, left_over

from core.errors import InvalidInput
from core.tasks.rewards.batch import BatchScorer
from core.tasks.rewards.library import library_reward
from core.tasks.rewards.programs import Program, last_block
from core.tasks.sandbox.answers import Outcome
from core.tasks.sandbox.levels import PLAIN, Level
from core.tasks.sandbox.scorer import Frame

SQUARE = "assert square(2) == 4\nassert square(-3) == 9\nassert square(0) == 0\nassert square(1.5) == 2.25"


def block(program: str) -> str:
    return f"Here it is:\n```python\n{program}\n```\nThat was it."


def frame(*programs: str, **fields: Any) -> Frame:
    return Frame((), tuple(map(block, programs)), fields)


def made(level: Level = HAD[0], **options: Any) -> BatchScorer:
    return Program(**options).scorer(level, Path("nowhere"), allow_plain=True)


def scores(*programs: str, level: Level = HAD[0], seconds: float = 30.0, row: Any = None, **options: Any) -> list[Any]:
    scorer = made(level, **options)
    try:
        return [outcome.value for outcome in scorer.score([frame(*programs, **(row or {}))], seconds)]
    finally:
        scorer.close()


@pytest.fixture(autouse=True)
def nothing_stays() -> Iterator[None]:
    yield
    assert left_over() == []


@pytest.mark.parametrize(
    ("text", "program"),
    [
        ("```python\na = 1\n```", "a = 1\n"),
        ("```\na = 1\n```\nor rather\n  ```py\nb = 2\n\nc = 3\n  ```\n", "b = 2\n\nc = 3\n"),
        ("```python\na = 1\n```\n```python\nb = ", "a = 1\n"),
        ("a = 1", None),
        ("```a = 1```", None),
        ("```python\na = 1", None),
        ("", None),
        ("```\n" * 3, "\n"),
    ],
)
def test_the_last_finished_block_is_the_program(text: str, program: str | None) -> None:
    assert last_block(text) == program


def test_a_tag_holds_a_program_bare_or_in_a_block() -> None:
    reward = Program(inside="code", tests="assert x")
    assert reward.program("<code>x = 1</code>") == "x = 1"
    assert reward.program("<code>\n```python\nx = 1\n```\n</code>") == "x = 1\n"
    assert reward.program("```\nx = 1\n```") is None
    assert reward.looks_for == ("<code>",)
    assert Program(tests="assert {a} == 1").looks_for == ("```",)
    assert Program(tests="assert {a} == 1").columns == ("a",)
    assert Program(cases="pairs").columns == ("pairs",)


@every_level
def test_the_score_is_the_share_of_asserts_that_pass(level: Level) -> None:
    right, half = "def square(x): return x * x", "def square(x): return 2 * x if x > 0 else x * x"
    wrong = "def square(x): return 'four'"
    assert scores(right, half, wrong, "def square(x:", level=level, row={}, tests=SQUARE) == [1.0, 0.75, 0.0, 0.0]
    assert scores(right, half, level=level, tests=SQUARE, all_or_nothing=True) == [1.0, 0.0]


@every_level
def test_the_score_is_the_share_of_cases_whose_output_is_right(level: Level) -> None:
    cases = [{"input": "1 2\n", "output": "3"}, {"input": "5 5\n", "output": "10\n"}, {"input": "0 -1", "output": "-1"}]
    adds = "print(sum(map(int, input().split())), ' ')"
    only_some = "a, b = map(int, input().split())\nassert b > 0\nprint(a + b)"
    says_and_fails = "print(sum(map(int, input().split())))\nraise SystemExit(3)"
    programs = (adds, only_some, says_and_fails, "print(3)")
    for column in (cases, '[{"input": "1 2", "output": "3"}, {"input": "1 3", "output": "4"}]'):
        found = scores(*programs, level=level, row={"io": column}, cases="io")
        assert found == ([1.0, 2 / 3, 0.0, 1 / 3] if column is cases else [1.0, 1.0, 0.0, 0.5])
    assert scores(*programs, level=level, row={"io": cases}, cases="io", all_or_nothing=True) == [1.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("value", "literal"),
    [
        ("[1, (2, 'a'), {3}, {(1, 2): None, 'k': b'x'}]", "[1, (2, 'a'), {3}, {(1, 2): None, 'k': b'x'}]"),
        ("__import__('numpy').arange(3)", "[0, 1, 2]"),
        ("__import__('collections').Counter('aab')", "{'a': 2, 'b': 1}"),
        ("1e300 * 10 ** -300, -0.5j", "(1.0, -0.5j)"),
        ("10 ** 50", "10 ** 50"),
        ("True", "1"),
    ],
)
def test_values_are_compared_as_python_does(value: str, literal: str) -> None:
    program = f"def f(): return {value}"
    tests = f"assert f() == {literal}\nassert {literal} == f(), 'the other way round'\nassert f() == 'no'"
    assert scores(program, row={"checks": tests}, tests="{checks}") == [2 / 3]


def test_tests_come_from_the_row_in_every_form_that_data_sets_have_them() -> None:
    program = "import math\ndef area(r): return math.pi * r * r"
    listed = {"imports": ["import math"], "checks": ["assert area(0) == 0", "assert abs(area(1) - math.pi) < 1e-9"]}
    assert scores(program, row=listed, tests="{imports}\n{checks}") == [1.0]
    check = "def check(candidate):\n    assert candidate(0) == 0\n    assert candidate(1) > 3\n"
    assert scores(program, row={"test": check, "entry": "area"}, tests="{test}\ncheck({entry})") == [1.0]
    assert scores("def area(r): return 0", row={"test": check, "e": "area"}, tests="{test}\ncheck({e})") == [0.0]


HACKS = {
    "exits": "import sys\nsys.exit(0)",
    "exits at once": "import os\nos._exit(0)",
    "equals everything": "class All:\n    def __eq__(self, other): return True\ndef square(x): return All()",
    "answers in words": "class Four(int):\n    def __eq__(self, other): return True\ndef square(x): return Four(7)",
    "prints what passing prints": "def square(x): print('true'); print(0, 'true'); return None",
    "replaces the comparison": "import json, builtins\nbuiltins.isinstance = lambda *a: True\ndef square(x): return x",
    "catches nothing": "def square(x): raise SystemExit(0)",
    "looks for the answers": (
        "import sys\ndef seen():\n    frame = sys._getframe()\n    while frame:\n        yield repr(frame.f_locals)\n"
        "        frame = frame.f_back\ntexts = ''.join(seen())\n"
        "wanted = '== ' + str(2 + 2)\ndef square(x):\n    return 4 if wanted in texts else None"
    ),
}


@pytest.mark.parametrize("name", HACKS)
def test_what_programs_try_instead_of_solving_gains_nothing(name: str) -> None:
    assert scores(HACKS[name], tests="assert square(2) == 4\nassert square(-3) == 9") == [0.0]


def test_tests_that_never_end_cost_those_that_come_later_and_no_other_program() -> None:
    hangs = "def square(x):\n    while x == -3: pass\n    return x * x"
    begun = time.monotonic()
    assert scores(hangs, "def square(x): return x * x", tests=SQUARE, seconds=20.0) == [0.25, 1.0]
    assert time.monotonic() - begun < 10


def test_what_a_step_has_no_time_for_has_no_score() -> None:
    scorer = made(tests=SQUARE)
    slow = [f"import time\ntime.sleep({9 + number})" for number in range(6)]
    begun = time.monotonic()
    found = scorer.score([frame("def square(x): return x * x", *slow)], 0.8)
    scorer.close()
    assert time.monotonic() - begun < 5
    assert found == [Outcome(1.0), *[Outcome(None, "the 0.8 s that a step has for scoring were spent")] * 6]


def test_rows_without_readable_tests_have_no_score_and_say_why() -> None:
    by_tests, by_cases = made(tests="{checks}"), made(cases="checks")
    rows: list[dict[str, Any]] = [{}, {"checks": "assert ("}, {"checks": ""}, {"checks": "assert 0\n" * 201}]
    found = by_tests.score([frame("x = 1", **row) for row in rows], 30.0)
    assert [outcome.kind for outcome in found] == ["unscored", "unscored", "does not apply", "unscored"]
    assert [outcome.error for outcome in found][:2] == [
        "the row has no column checks",
        "the row's tests are not Python: '(' was never closed (<unknown>, line 1)",
    ]
    rows = [{}, {"checks": "["}, {"checks": []}, {"checks": [{"input": "1"}]}, {"checks": None}]
    kinds = [outcome.kind for outcome in by_cases.score([frame("x = 1", **row) for row in rows], 30.0)]
    assert kinds == ["unscored", "unscored", "does not apply", "unscored", "does not apply"]
    by_tests.close()
    by_cases.close()


def test_a_completion_without_a_program_scores_zero_and_equal_programs_run_once() -> None:
    scorer = made(tests=SQUARE)
    right = block("def square(x): return x * x")
    found = scorer.score([Frame((), ("no program", right, right, right), {}), Frame((), (right,), {})], 30.0)
    assert [outcome.value for outcome in found] == [0.0, 1.0, 1.0, 1.0, 1.0]
    figures = scorer.metrics()
    assert figures["code/programs"] == 2
    assert figures["code/late"] == 0
    assert figures["code/seconds"] > 0
    assert scorer.metrics() == {"code/programs": 0, "code/late": 0, "code/seconds": 0}
    scorer.close()
    scorer.close()


def test_options_that_cannot_be() -> None:
    for options in ({}, {"tests": "assert x", "cases": "io"}):
        with pytest.raises(InvalidInput, match="one of tests and cases"):
            library_reward("code", options)
    with pytest.raises(InvalidInput, match="braces"):
        library_reward("code", {"tests": "assert {"})
    with pytest.raises(InvalidInput, match=r"give it a \[\[reward\]\] of its own"):
        library_reward("weighted", {"parts": [{"use": "code", "tests": "assert x"}, {"use": "exact"}]})
    with pytest.raises(InvalidInput, match="without protection"):
        library_reward("code", {"tests": "assert x"}).scorer(PLAIN, Path("nowhere"))  # type: ignore[attr-defined]
