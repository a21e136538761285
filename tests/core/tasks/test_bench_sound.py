"""The bench leaves sound rewards alone, says what they are, and what the built-in tasks are like."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from bench_support import asked, benched, capitals, in_this_process, numbers, of_library, report_of, tagged, task_of
from sandbox_support import HAD

from core.tasks.bench import Earlier, as_lines, bench
from core.tasks.registry import RECIPES, get_recipe
from core.tasks.sandbox.box import Box
from core.tasks.sandbox.scorer import SandboxedScorer
from core.tasks.sandbox.sources import Library
from core.tasks.task import Example, LibraryCode, Reward, Task

Gold = Callable[[Mapping[str, Any]], str]
PEOPLE = [
    {"name": "Ana", "age": 31},
    {"name": "Bo", "age": 45},
    {"name": "Chen", "age": 18},
    {"name": "Dora", "age": 70},
]
SHAPE = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["name", "age"]}
# A recipe that gives part of the score for less than the whole answer may be warned of.
SOUND = ("addition", "countdown", "json-extraction", "gsm8k")


def people() -> list[Example]:
    return [asked(f"{person['name']} is {person['age']}.", answer=person) for person in PEOPLE]


def as_json(fields: Mapping[str, Any]) -> str:
    return json.dumps(fields["answer"])


def thought(fields: Mapping[str, Any]) -> str:
    return f"<think>I know this.</think>\n{tagged(fields)}"


def countdown() -> list[Example]:
    return get_recipe("countdown").examples(12, seed=5)


NORMALISED = of_library("normalised", inside="answer")
FIELDS = of_library("json-fields")
SOUND: list[tuple[Reward, Callable[[], Sequence[Example]], Gold, str, Reward | None]] = [
    (NORMALISED, capitals, tagged, "answer", None),
    (of_library("exact", inside="answer"), numbers, tagged, "answer", None),
    (of_library("number", inside="answer", tolerance=0.5), numbers, tagged, "answer", None),
    (of_library("fuzzy", inside="answer", at_least=0.9), capitals, tagged, "answer", None),
    (
        of_library("regex", pattern="<answer>\\s*(\\S+)\\s*</answer>", compare="group", whole=False),
        numbers,
        tagged,
        "answer",
        None,
    ),
    (FIELDS, people, as_json, "answer", None),
    (of_library("countdown-target"), countdown, get_recipe("countdown").gold, "answer", None),
    (
        of_library("gate", parts=[{"use": "tags"}, {"use": "normalised", "inside": "answer"}]),
        capitals,
        tagged,
        "answer",
        None,
    ),
    (of_library("tags"), capitals, tagged, "form", NORMALISED),
    (of_library("xml", tags=["think", "answer"]), capitals, thought, "form", NORMALISED),
    (of_library("json-schema", shape=SHAPE), people, as_json, "form", FIELDS),
    (of_library("overlong", limit=500, cache=100), capitals, tagged, "penalty", NORMALISED),
]


@pytest.mark.parametrize(("reward", "examples", "gold", "role", "beside"), SOUND, ids=[each[0].name for each in SOUND])
def test_a_sound_reward_of_the_library_is_called_sound(
    reward: Reward, examples: Callable[[], Sequence[Example]], gold: Gold, role: str, beside: Reward | None
) -> None:
    report = benched(examples(), reward, *([beside] if beside else []), gold=gold)
    found = report_of(report, reward.name)
    assert found.verdict == "sound", found.findings
    assert found.role == role
    assert found.findings
    if beside is None:
        assert report.total.verdict == "sound", report.total.findings


def test_mathematics_takes_a_denied_answer_and_the_bench_says_so_mildly() -> None:
    report = benched(numbers(), of_library("math", inside="answer"))
    assert report.verdict == "warning"
    warned = [finding for finding in report_of(report, "math").findings if finding.severity == "warning"]
    assert [finding.text for finding in warned] == ["<answer>not 12</answer>"]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_the_recipes_have_no_flaw(recipe: Task, tmp_path: Path) -> None:
    rows = [
        {"question": f"Tom has {a} bags of {b} apples and eats 2.", "answer": f"{a} * {b} - 2\n#### {a * b - 2}"}
        for a in range(3, 9)
        for b in range(4, 12)
    ]
    (tmp_path / "train.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    examples = recipe.examples(48, seed=1, source=str(tmp_path) if recipe.needs_dataset else "")
    report = bench(recipe, in_this_process(recipe), examples)
    assert [finding for finding in report.findings if finding.severity == "flaw"] == []
    assert report.total.means["gold"] == pytest.approx(1.0)
    if recipe.name not in SOUND:
        return
    assert report.verdict == "sound", report.findings
    assert max(report.total.false_positives.values()) == 0.0
    roles = {reward.name: reward.role for reward in report.rewards}
    assert roles == {"correctness": "answer", "format": "answer" if recipe.name == "countdown" else "form"}


def test_a_question_that_shows_an_answered_example_is_no_flaw_where_that_answer_happens_to_be_right() -> None:
    examples = [asked("2+2? <answer>4</answer>\n1+3?", answer=4), asked("2+2? <answer>4</answer>\n1+1?", answer=2)]
    assert benched(examples, of_library("number", inside="answer")).verdict == "sound"


def test_the_bench_scores_where_training_does() -> None:
    task = task_of(of_library("normalised", 0.8, inside="answer"), of_library("tags", 0.2))
    specs = {reward.name: reward.code.document for reward in task.rewards if isinstance(reward.code, LibraryCode)}
    with Box(Library("core.tasks.rewards.library:scored_by", specs), HAD[0], allow_plain=True) as box:
        scorer = SandboxedScorer(box)
        report = bench(task, lambda frames: scorer.score(frames, [*specs]), capitals())
    here = bench(task, in_this_process(task), capitals())
    assert report.verdict == "sound"
    assert [reward.means for reward in report.rewards] == [reward.means for reward in here.rewards]
    assert report.texts == here.texts
    assert report.per_second > 0


def test_completions_of_earlier_runs_show_what_a_reward_says_now() -> None:
    task = task_of(of_library("normalised", 0.8, inside="answer"), of_library("tags", 0.2))
    paris, oslo = capitals()[:2]
    earlier = [
        Earlier(paris, "<answer>Paris</answer>", {"normalised": 1.0, "tags": 1.0}),
        Earlier(paris, "<answer>PARIS!</answer>", {"normalised": 0.0, "tags": 1.0}),
        Earlier(oslo, "Oslo", {"normalised": None}),
    ]
    report = bench(task, in_this_process(task), capitals(), earlier)
    words, tags = report.earlier
    assert (words.count, words.changed, words.before, words.after) == (3, 2, 0.5, pytest.approx(2 / 3))
    assert (tags.count, tags.changed, tags.before, tags.after) == (2, 0, 1.0, 1.0)
    assert [finding.says for finding in report.findings if finding.severity == "warning"] == [
        "It says something else of 2 of 3 completions of earlier runs: the mean was 0.50 and is 0.67."
    ]


def test_lines_for_a_terminal() -> None:
    report = benched(capitals(), of_library("normalised", 0.1, inside="answer"), of_library("tags", 0.9))
    lines = as_lines(report)
    assert lines[0].startswith(f"small: 6 rows, {report.texts} texts, ")
    assert lines[2].split() == ["normalised", "tags", "total"]
    assert [line.split() for line in lines if line.startswith("tags only")] == [
        ["tags", "only", "0.00", "1.00", "0.90"]
    ]
    flaw = next(place for place, line in enumerate(lines) if "the tags with nothing in them" in line)
    assert lines[flaw].startswith("flaw     A wrong text gets a high score")
    assert lines[flaw + 1] == "         row 0: '<answer></answer>'"
    assert lines.index(next(line for line in lines if line.startswith("sound"))) > flaw
