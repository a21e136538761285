"""Completions that hold a program: it runs in a sandbox, and its row's tests say what it is worth."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator

from core.errors import InvalidInput
from core.tasks.rewards.batch import BatchScorer, Outside
from core.tasks.rewards.program_tests import Case, Part, read_cases, read_tests
from core.tasks.rewards.reward import Tagged
from core.tasks.sandbox.levels import Level, need_consent
from core.tasks.template import Template, parse_template

FENCE = "```"


class Program(Outside, Tagged):
    """The share of a row's tests that a Python program passes; 0 without a program.

    With `tests`, the values that a test compares with by == stay outside of the program's process; other asserts run
    inside it, where a program that is made to could turn them over. With `cases` no answer is ever inside.
    """

    runs_programs = True
    about = "The share of the row's tests that the program in the answer passes."
    inside: str = Field(
        "",
        pattern=r"^[A-Za-z][\w-]{0,31}$|^$",
        description="Tag that the program stands in; empty: the last block between lines of ```.",
    )
    tests: str = Field("", max_length=100_000, description="Python asserts: a text over the row's columns.")
    cases: str = Field(
        "", description='Column with a list of {"input": TEXT, "output": TEXT}: what is read and printed.'
    )
    all_or_nothing: bool = Field(False, description="1 for all tests, else 0.")
    seconds: float = Field(3.0, gt=0.0, le=60.0, description="Time of one program; what is not done then has failed.")

    @model_validator(mode="after")
    def _one_kind_of_tests(self) -> Self:
        if bool(self.tests) == bool(self.cases):
            raise InvalidInput(
                "tests", self.tests, "where one of tests and cases belongs", "write tests = ... or cases = ..."
            )
        if self.tests:
            parse_template(self.tests, "tests")
        return self

    @property
    def template(self) -> Template:
        return parse_template(self.tests, "tests")

    @property
    def columns(self) -> tuple[str, ...]:
        return self.template.columns if self.tests else (self.cases,)

    @property
    def looks_for(self) -> tuple[str, ...]:
        return (f"<{self.inside}>",) if self.inside else (FENCE,)

    def scorer(self, level: Level, cache: Path, allow_plain: bool = False) -> BatchScorer:
        """Raises InvalidInput for `PLAIN` without consent."""
        from core.tasks.rewards.program_scorer import ProgramScorer

        need_consent(level, allow_plain)
        return ProgramScorer(self, level, allow_plain)

    def tests_of(self, fields: Mapping[str, Any]) -> tuple[Part, ...] | tuple[Case, ...]:
        """Empty where the row has none. Raises BadTests, and KeyError for a column that the row lacks."""
        if self.cases:
            return read_cases(fields[self.cases])
        return read_tests(self.template.fill(lines_of(fields)))

    def program(self, text: str) -> str | None:
        """The program in a completion; None without one. A tag may hold a block between lines of ```."""
        given = self.given(text) if self.inside else text
        if given is None:
            return None
        block = last_block(given)
        return given if block is None and self.inside else block


def last_block(text: str) -> str | None:
    """What stands in the last finished block between lines of ```; None without one."""
    found, block = None, list[str]()
    inside = False
    for line in text.splitlines():
        mark = line.strip()
        if not inside and mark.startswith(FENCE) and FENCE not in mark[len(FENCE) :]:
            inside, block = True, []
        elif inside and mark == FENCE:
            inside, found = False, "\n".join(block) + "\n"
        elif inside:
            block.append(line)
    return found


def lines_of(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The row, with lists of texts as lines: data sets keep tests in lists."""
    return {name: "\n".join(value) if _are_texts(value) else value for name, value in fields.items()}


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, str) for each in value)
