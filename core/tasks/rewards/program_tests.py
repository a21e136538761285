"""Tests of a program: taken apart before it runs, and held against what came out of its process."""

import ast
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from core.tasks.rewards import harness

HARNESS = Path(harness.__file__)
MOST_TESTS = 200
NOTHING = object()  # equals no value
NUMBERS: Mapping[str, Any] = {"int": int, "float": float, "complex": complex, "bytes": bytes.fromhex}
COLLECTIONS: Mapping[str, Any] = {"list": list, "tuple": tuple, "set": set}
Case = tuple[str, str]  # what a program reads, what it must print
Kind = Literal["setup", "assert", "value"]


class BadTests(Exception):
    """A row's tests are none; the text says why."""


@dataclass(frozen=True)
class Part:
    """A statement of a row's tests.

    text    Python: what runs in the program's process
    wanted  of a "value": what its expression must come to
    """

    kind: Kind
    text: str
    wanted: Any = None


def read_tests(text: str) -> tuple[Part, ...]:
    """The parts of Python code whose asserts are the tests; without any at the top, all of it is one test.

    Empty for a text without statements. Raises BadTests for what is not Python or too much.
    """
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise BadTests(f"the row's tests are not Python: {error}") from None
    parts = tuple(map(_part, body))
    if sum(part.kind != "setup" for part in parts) > MOST_TESTS:
        raise BadTests(f"the row has more than {MOST_TESTS} tests")
    if parts and all(part.kind == "setup" for part in parts):
        return (Part("assert", text),)
    return parts


def read_cases(column: Any) -> tuple[Case, ...]:
    """A column's cases, also where it holds them as JSON. Raises BadTests."""
    try:
        listed = json.loads(column) if isinstance(column, str) else column or ()
        if len(listed) > MOST_TESTS:
            raise BadTests(f"the row has more than {MOST_TESTS} cases")
        return tuple((str(case["input"]), str(case["output"])) for case in listed)
    except (ValueError, TypeError, KeyError, RecursionError):
        raise BadTests('the row\'s cases are no list of {"input": TEXT, "output": TEXT}') from None


def same_output(printed: str, wanted: str) -> bool:
    """Space at the ends of lines and empty lines at the end do not count."""
    return _lines(printed) == _lines(wanted)


def source_of(program: str, parts: Sequence[Part], mark: str) -> str:
    """What the process runs: the program, then its tests."""
    tests = [(part.kind, part.text) for part in parts]
    return f"{HARNESS.read_text(encoding='utf-8')}\n\nmain({program!r}, {tests!r}, {mark!r})\n"


def new_mark() -> str:
    """What lines about tests begin with; a program that only prints cannot know it."""
    return secrets.token_hex(16)


def passed(stdout: str, parts: Sequence[Part], mark: str) -> tuple[bool, ...]:
    """Of each test, in their order, whether the process's output says that it passed."""
    told: dict[str, str] = {}
    for line in stdout.split("\n"):
        begin, _, rest = line.partition(" ")
        if begin == mark:
            number, _, answer = rest.partition(" ")
            told.setdefault(number, answer)
    tests = [(str(number), part) for number, part in enumerate(parts) if part.kind != "setup"]
    return tuple(_passes(part, told.get(number)) for number, part in tests)


def value_of(answer: Any) -> Any:
    """What `harness.plain` made JSON of. Raises ValueError and TypeError for anything else."""
    if answer is None or isinstance(answer, bool | str):
        return answer
    ((kind, content),) = answer.items()
    if kind in NUMBERS:
        return NUMBERS[kind](content)
    if kind == "dict":
        return {value_of(key): value_of(value) for key, value in content}
    return COLLECTIONS[kind](map(value_of, content)) if kind in COLLECTIONS else NOTHING


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.rstrip().split("\n")]


def _part(node: ast.stmt) -> Part:
    if not isinstance(node, ast.Assert):
        return Part("setup", ast.unparse(node))
    test = node.test
    if isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], ast.Eq):
        for asked, literal in ((test.left, test.comparators[0]), (test.comparators[0], test.left)):
            try:
                return Part("value", ast.unparse(asked), ast.literal_eval(literal))
            except (ValueError, TypeError, MemoryError, RecursionError):
                continue
    return Part("assert", ast.unparse(node))


def _passes(part: Part, answer: str | None) -> bool:
    if answer is None or part.kind == "assert":
        return answer == "true"
    try:
        return bool(value_of(json.loads(answer)) == part.wanted)
    except (ValueError, TypeError, AttributeError, RecursionError):
        return False
