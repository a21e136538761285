"""TRL's reward functions by name: the values that their documentation gives, as of TRL 1.16."""

from typing import Any

import pytest

from core.tasks.rewards.library import library_reward

THIRD = {"answer": r"\frac{1}{3}"}


@pytest.mark.parametrize(
    ("name", "options", "text", "score"),
    [
        ("think_format_reward", {}, "<think>\nThis is my reasoning.\n</think>\nThis is my answer.", 1.0),
        ("think_format_reward", {}, "<think>\nThis is my reasoning.\nThis is my answer.", 0.0),
        ("get_soft_overlong_punishment", {"max_completion_len": 100, "soft_punish_cache": 20}, "1 " * 90, -0.5),
        ("get_repetition_penalty_reward", {"ngram_size": 2}, "1 2 3 4", 0.0),
        ("get_repetition_penalty_reward", {"ngram_size": 2}, "5 5 5 5 5", -0.75),
        ("accuracy_reward", {}, r"My answer is \boxed{\frac{1}{3}}", 1.0),
        ("accuracy_reward", {}, r"My answer is \boxed{\frac{1}{2}}", 0.0),
        ("reasoning_accuracy_reward", {}, r"<think> Reasoning </think> The final answer is \boxed{\frac{1}{3}}", 1.0),
        ("reasoning_accuracy_reward", {}, r"<think> Reasoning </think> The final answer is \boxed{\frac{1}{2}}", 0.0),
        ("reasoning_accuracy_reward", {}, r"<think> partial \boxed{\frac{1}{3}} but no final answer", 0.0),
        ("get_cosine_scaled_reward", {"max_len": 100}, "so " * 49 + r"\boxed{\frac{1}{3}}", 0.75),
        ("get_cosine_scaled_reward", {"max_len": 100}, "so " * 49 + r"\boxed{\frac{1}{2}}", -0.75),
    ],
)
def test_documented_values(name: str, options: dict[str, Any], text: str, score: float) -> None:
    assert library_reward(f"trl:{name}", options).score(text, THIRD) == pytest.approx(score)


def test_a_row_whose_answer_is_no_mathematics_does_not_apply() -> None:
    assert library_reward("trl:accuracy_reward", {}).score(r"\boxed{3}", {"answer": "Paris"}) is None


def test_an_answer_in_tags_is_read_there() -> None:
    reward = library_reward("trl:accuracy_reward", {"inside": "answer"})
    assert reward.looks_for == ("<answer>",)
    assert reward.score(r"<answer>\boxed{\frac{1}{3}}</answer> \boxed{9}", THIRD) == 1.0
    assert reward.score(r"\boxed{\frac{1}{3}}", THIRD) == 0.0
