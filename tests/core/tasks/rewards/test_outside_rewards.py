"""Rewards that are asked about whole steps: what all of them have in common."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sandbox_support import HAD

from core.settings import PROJECT
from core.tasks.rewards.batch import Outside
from core.tasks.rewards.library import LIBRARY, OUTSIDE, library_reward

OPTIONS: dict[str, dict[str, Any]] = {
    "code": {"tests": "assert f({x}) == 1"},
    "judge": {"address": "http://127.0.0.1:9/v1", "model": "m", "rubric": "{x} {completion}"},
}
every_one = pytest.mark.parametrize("use", OUTSIDE)


@every_one
def test_it_says_what_it_is_and_describes_its_options(use: str) -> None:
    assert use not in LIBRARY
    assert OUTSIDE[use].about.endswith(".")
    for name, option in OUTSIDE[use].model_fields.items():
        assert option.description, name


@every_one
def test_a_step_without_completions_is_scored_and_an_end_may_come_twice(use: str, tmp_path: Path) -> None:
    reward = library_reward(use, OPTIONS[use])
    assert isinstance(reward, Outside)
    assert reward.columns == ("x",)
    scorer = reward.scorer(HAD[0], tmp_path, allow_plain=True)
    assert scorer.score([], 5.0) == []
    assert {name.partition("/")[0] for name in scorer.metrics()} == {use}
    scorer.close()
    scorer.close()


@every_one
def test_one_completion_alone_is_not_what_it_is_asked_about(use: str) -> None:
    with pytest.raises(NotImplementedError, match="whole steps"):
        library_reward(use, OPTIONS[use]).score("", {"x": 1})


def test_a_child_that_scores_with_the_library_loads_nothing_that_starts_processes_or_connects() -> None:
    heavy = {"httpx", "sqlite3", "core.tasks.sandbox.box", "core.tasks.sandbox.programs"}
    program = f"import sys, core.tasks.rewards.library; print(*{heavy!r} & {{*sys.modules}})"
    said = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert said.stdout == "\n"
