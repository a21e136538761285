"""Rewards made of others."""

from typing import Any

import pytest

from core.errors import InvalidInput, NotFound
from core.tasks.rewards.library import library_reward

RIGHT, FORM = {"use": "exact", "inside": "answer"}, {"use": "tags"}
LANGUAGE = {"use": "language", "language": "en"}
GOOD, WRONG, BARE = "<answer>4</answer>", "<answer>5</answer>", "4"
ROW = {"answer": "4"}


def scores(use: str, *parts: Any, **options: Any) -> list[float | None]:
    reward = library_reward(use, {"parts": list(parts), **options})
    return [reward.score(text, ROW) for text in (GOOD, WRONG, BARE)]


def test_a_weighted_mean() -> None:
    assert scores("weighted", {**RIGHT, "weight": 3}, FORM) == [1.0, 0.25, 0.0]
    assert scores("weighted", RIGHT, LANGUAGE) == [1.0, 0.0, 0.0]  # too short for a language: left out
    assert scores("weighted", LANGUAGE) == [None, None, None]


def test_the_worst_of_all() -> None:
    assert scores("all-of", RIGHT, FORM) == [1.0, 0.0, 0.0]
    assert scores("all-of", FORM, LANGUAGE) == [1.0, 1.0, 0.0]
    assert scores("all-of", FORM, {"use": "overlong", "limit": 4, "cache": 2}) == [-1.0, -1.0, 0.0]


def test_a_gate_lets_the_second_count() -> None:
    short = {"use": "length", "at_most": 3}
    assert scores("gate", FORM, RIGHT) == [1.0, 0.0, 0.0]
    assert scores("gate", RIGHT, short, closed=-0.5) == [0.0, -0.5, -0.5]
    assert scores("gate", LANGUAGE, RIGHT) == [None, None, None]
    assert scores("gate", {"use": "fuzzy"}, short, at_least=0.3) == [0.0, 0.0, 1.0]


def test_composites_say_what_their_parts_read_and_look_for() -> None:
    inner = {"use": "gate", "parts": [FORM, {"use": "number", "expect": "{sum}", "inside": "result"}]}
    reward = library_reward("weighted", {"parts": [RIGHT, inner]})
    assert reward.columns == ("answer", "sum")
    assert reward.looks_for == ("<answer>", "<result>")
    assert reward.span == (0.0, 1.0)
    assert library_reward("weighted", {"parts": [RIGHT, {"use": "repetition"}]}).span == (-0.5, 0.5)
    assert library_reward("gate", {"parts": [FORM, RIGHT], "closed": -2}).span == (-2.0, 1.0)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "where rewards belong"),
        ({"parts": []}, "at least 1"),
        ({"parts": ["exact"]}, "names no reward"),
        ({"parts": [{"use": "exact", "weight": "much"}]}, "no number"),
        ({"parts": [{"use": "exact", "weight": 0}]}, "more than 0"),
        ({"parts": [{"use": "exact", "colour": "red"}]}, "colour"),
    ],
)
def test_parts_that_cannot_be_are_named(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        library_reward("weighted", options)


def test_a_part_that_is_no_reward_and_a_gate_of_three_are_refused() -> None:
    with pytest.raises(NotFound, match="exacts"):
        library_reward("all-of", {"parts": [{"use": "exacts"}]})
    with pytest.raises(InvalidInput, match="a gate has two"):
        library_reward("gate", {"parts": [FORM, FORM, FORM]})


def test_rewards_in_rewards_have_an_end() -> None:
    nested: dict[str, Any] = {"use": "exact"}
    for _ in range(500):
        nested = {"use": "all-of", "parts": [nested]}
    with pytest.raises(InvalidInput, match="below 4 others"):
        library_reward(nested.pop("use"), nested)
