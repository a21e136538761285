"""Rewards: right answers score, wrong ones do not, and nothing a model writes can do harm."""

import pytest

from core.tasks.registry import RECIPES
from core.tasks.rewards.library import library_reward
from core.tasks.task import Task

answer_is = library_reward("number", {"inside": "answer"}).score
has_one_answer = library_reward("tags", {}).score
equation_reaches_target = library_reward("countdown-target", {}).score
equation_uses_numbers = library_reward("countdown-numbers", {}).score
fields_match = library_reward("json-fields", {}).score
is_one_json_object = library_reward("json-object", {}).score
OFFLINE = [recipe for recipe in RECIPES if not recipe.needs_dataset]
HOSTILE = [
    "",
    "<answer>",
    "</answer><answer>",
    "<answer>" + "9" * 5000 + "</answer>",
    "[" * 5000,
    "{" * 5000,
    "\x00",
    "\ud800",
]


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("<answer>9</answer>", 1.0),
        ("It is <answer> 9.0 </answer>", 1.0),
        ("<answer>$1,009</answer>", 0.0),
        ("9", 0.0),
        ("<answer>nine</answer>", 0.0),
        ("<answer>9</answer><answer>8</answer>", 0.0),
        ("<answer>1e1</answer>", 0.0),
    ],
)
def test_answer_is(text: str, score: float) -> None:
    assert answer_is(text, {"answer": 9}) == score


def test_an_answer_that_is_no_number_never_equals_another() -> None:
    assert answer_is("<answer>x</answer>", {"answer": "y"}) == 0.0


@pytest.mark.parametrize(
    ("text", "score"),
    [("so <answer>9</answer>\n", 1.0), ("<answer>9</answer> done", 0.0), ("<answer>9</answer></answer>", 0.0)],
)
def test_has_one_answer(text: str, score: float) -> None:
    assert has_one_answer(text, {}) == score


@pytest.mark.parametrize(
    ("equation", "uses", "reaches"),
    [
        ("2 * 3 + 10", 1.0, 1.0),
        ("10 + 3 * 2 = 16", 1.0, 1.0),
        ("2 + 3 + 10", 1.0, 0.0),
        ("2 * 8", 0.0, 0.0),
        ("2 * 3 + 10 + 0", 0.0, 0.0),
        ("10 / (2 - 2) + 3", 0.0, 0.0),
        ("2 ** 3 ** 10", 0.0, 0.0),
        ("__import__('os')", 0.0, 0.0),
        ("-2 + 3 + 10", 0.0, 0.0),
    ],
)
def test_countdown(equation: str, uses: float, reaches: float) -> None:
    fields = {"numbers": [2, 3, 10], "target": 16}
    text = f"<answer>{equation}</answer>"
    assert equation_uses_numbers(text, fields) == uses
    assert equation_reaches_target(text, fields) == reaches


def test_countdown_division_by_zero_scores_nothing() -> None:
    assert equation_reaches_target("<answer>1 / (2 - 2)</answer>", {"numbers": [1, 2, 2], "target": 1}) == 0.0


def test_json_fields() -> None:
    fields = {"answer": {"name": "Ana", "age": 31}}
    assert fields_match('{"name": "ana", "age": "31"}', fields) == 1.0
    assert fields_match('{"name": "Ana"}', fields) == 0.5
    assert is_one_json_object('{"name": "Ana"}', fields) == 0.5
    assert is_one_json_object('Here: {"name": "Ana", "age": 31}', fields) == 0.0


@pytest.mark.parametrize("recipe", OFFLINE, ids=lambda recipe: recipe.name)
def test_gold_answers_score_one(recipe: Task) -> None:
    for example in recipe.examples(200, seed=1):
        completion = recipe.gold(example.fields)
        assert [reward.function(completion, example.fields) for reward in recipe.rewards] == [1.0] * len(recipe.rewards)


@pytest.mark.parametrize("recipe", OFFLINE, ids=lambda recipe: recipe.name)
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_scores_in_range(recipe: Task, text: str) -> None:
    fields = recipe.examples(1, seed=0)[0].fields
    scores = [reward.function(text, fields) for reward in recipe.rewards]
    assert all(score is not None and 0.0 <= score <= 1.0 for score in scores)
    assert scores[0] == 0.0  # correctness
