"""Likeness to the expected text, and languages."""

import pytest

from core.errors import InvalidInput
from core.tasks.rewards.library import library_reward

ENGLISH = "The cat sat on the mat and looked at the dog for a while."
GERMAN = "Die Katze sitzt auf der Matte und sieht sich den Hund lange an."


def test_likeness_letter_by_letter() -> None:
    score = library_reward("fuzzy", {}).score
    assert score("this is a test!", {"answer": "This is a test"}) == pytest.approx(0.9655, abs=1e-4)
    assert score("Paris", {"answer": "Paris"}) == 1.0
    assert score("", {"answer": "Paris"}) == 0.0
    assert score("Paris", {"answer": " "}) is None


def test_likeness_of_words_in_any_order() -> None:
    score = library_reward("fuzzy", {"method": "token_set_ratio"}).score
    assert score("fuzzy was a bear", {"answer": "fuzzy fuzzy was a bear"}) == 1.0
    assert score("a bear, a bear", {"answer": "the quick fox"}) < 0.5  # type: ignore[operator]


def test_what_is_not_like_enough_scores_nothing() -> None:
    score = library_reward("fuzzy", {"at_least": 0.9, "same_case": True, "inside": "answer"}).score
    assert score("<answer>Paris</answer>", {"answer": "Paris"}) == 1.0
    assert score("<answer>paris</answer>", {"answer": "Paris"}) == 0.0
    assert score("Paris", {"answer": "Paris"}) == 0.0


def test_language() -> None:
    english = library_reward("language", {"language": "en"}).score
    assert english(ENGLISH, {}) == 1.0
    assert english(GERMAN, {}) == 0.0
    assert english("Yes.", {}) is None
    assert library_reward("language", {"language": "de", "inside": "answer"}).score(GERMAN, {}) == 0.0


def test_a_row_can_name_its_language() -> None:
    reward = library_reward("language", {"column": "code"})
    assert reward.columns == ("code",)
    assert reward.score(GERMAN, {"code": "de"}) == 1.0
    with pytest.raises(InvalidInput, match="cannot be told"):
        reward.score(GERMAN, {"code": "klingon"})
    with pytest.raises(InvalidInput, match="one of the two"):
        library_reward("language", {})
