"""Runs whose rewards.py means harm: the run outlives it, or ends with a reason, and harms nothing, at every level."""

import json
from pathlib import Path
from textwrap import dedent

import pytest
from own_runs_support import Bench
from own_support import TASK, make_task, write_jsonl
from sandbox_support import HAD, HOSTILE, left_over
from tiny_support import save_tiny

from core.records.status import RunStatus
from core.tasks.sandbox.levels import PLAIN, Level
from core.tasks.sandbox.probe import probe

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

# What is said of each completion.
UNSCORED = {
    "exits_hard": "the process ended with exit code 3",
    "huge_allocation": "MemoryError (rewards.py, line ",
    "junk_on_the_pipe": "no answer",
    "raises": "ValueError: no such answer (rewards.py, line ",
}
ASKED = TASK[: TASK.index("[[reward]]")].replace("shots = 1", "shots = 0")
MOODS = dedent('''
    import os

    def moody(completions, mood, **kwargs):
        """Does as its row says."""
        if "loops" in mood:
            while True:
                pass
        if "exits" in mood:
            os._exit(3)
        return [float(len(completion[0]["content"])) for completion in completions]
''')


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    folder = tmp_path_factory.mktemp("hostile")
    return Bench(folder / "home", save_tiny(folder / "model"))


def hostile_task(folder: Path, *names: str) -> Path:
    """A task whose file has these hostile functions, each under the name of the file that it comes from."""
    files = {name: (HOSTILE / f"{name}.py").read_text(encoding="utf-8") for name in names}
    code = "\n\n".join(text.replace("def reward(", f"def {name}(") for name, text in files.items())
    rewards = "".join(f'[[reward]]\npython = "rewards.py:{name}"\n' for name in names)
    make_task(folder, ASKED + rewards, code)
    return folder


@pytest.mark.parametrize(
    "level",
    [HAD[0], *(pytest.param(level, marks=pytest.mark.long) for level in HAD[1:])],
    ids=lambda level: level.name,
)
def test_a_run_without_scores_ends_with_the_cause(bench: Bench, tmp_path: Path, level: Level) -> None:
    looks = ("own_environment",) if level == PLAIN else ("own_environment", "environment_of_parent")
    folder = hostile_task(tmp_path / "hostile", *UNSCORED, *looks)
    bench.approve(folder)
    if level == PLAIN:
        refused = bench.launch(folder, level=level)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert "agree to run it without protection" in refused.stderr
        bench.approve(folder, "--unprotected")
    result = bench.launch(folder, level=level, steps=5, prompts_per_step=1, group_size=2, HF_TOKEN="CANARY")
    assert result.returncode == 1, result.stderr[-3000:]
    left = bench.left(json.loads(result.stdout)["run"])
    assert left.run.facts["sandbox"] == level.name
    assert left.run.status is RunStatus.FAILED
    assert left.run.failure is not None
    assert left.run.failure.kind == "scoring"
    assert "no score of exits_hard in 3 steps in a row" in left.run.failure.message
    assert UNSCORED["exits_hard"] in left.run.failure.message
    assert [step.number for step in left.steps] == [1, 2, 3]
    for name, cause in UNSCORED.items():
        assert left.scores(name) == [None] * 6
        assert all(cause in error for error in left.errors(name)), (name, left.errors(name))
    for name in looks:
        assert left.scores(name) == [0.0] * 6  # the worker's environment, with a token in it, was not to be seen
    assert left_over() == []


def test_what_some_rows_do_costs_their_own_scores_alone(bench: Bench, tmp_path: Path) -> None:
    asked = ASKED.replace("capitals.csv", "rows.jsonl").replace("{answer}", "{country}")
    asked = asked.replace("rows = 2", "rows = 0")
    make_task(tmp_path / "moody", asked + '[[reward]]\npython = "rewards.py:moody"\n', MOODS)
    moods = {"France": "loops", "Italy": "exits", "Spain": "fine", "Cuba": "fine", "Peru": "fine", "Kenya": "fine"}
    write_jsonl(tmp_path / "moody/rows.jsonl", [{"country": name, "mood": mood} for name, mood in moods.items()])
    bench.approve(tmp_path / "moody")
    left = bench.trained(tmp_path / "moody", group_size=2)
    causes = {"loops": {"took longer than 2 s and was ended"}, "exits": {UNSCORED["exits_hard"]}, "fine": {""}}
    groups = [group for groups in left.groups for group in groups]
    assert {group.fields["country"] for group in groups} == {*moods}
    for group in groups:
        assert {score.error for one in group.completions for score in one.scores} == causes[group.fields["mood"]]
        assert all((one.reward is None) == (group.fields["mood"] != "fine") for one in group.completions)
    assert left.run.facts["sandbox"] == probe().name
    assert left_over() == []
