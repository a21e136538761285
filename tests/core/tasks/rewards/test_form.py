"""Rewards of form: elements in order, JSON by a schema, lengths and repetitions."""

from typing import Any

import pytest

from core.errors import InvalidInput
from core.tasks.rewards.library import library_reward

THOUGHT = "<think>two and two</think>\n<answer>4</answer>"


@pytest.mark.parametrize(
    ("options", "text", "score"),
    [
        ({}, THOUGHT, 1.0),
        ({}, "Well. " + THOUGHT, 1.0),
        ({"alone": True}, THOUGHT, 1.0),
        ({"alone": True}, "Well. " + THOUGHT, 0.0),
        ({"alone": True}, THOUGHT.replace("\n", " so "), 0.0),
        ({}, "<answer>4</answer><think>two</think>", 0.0),
        ({}, THOUGHT + "<answer>5</answer>", 0.0),
        ({}, "<think>two<answer>4</answer></think>", 0.0),
        ({}, "<think> </think><answer>4</answer>", 0.0),
        ({}, "", 0.0),
        ({"tags": ["a", "b"], "nested": True}, "<a>x<b>y</b></a>", 1.0),
        ({"tags": ["a", "b"], "nested": True}, "<a><b>y</b></a>", 1.0),
        ({"tags": ["a", "b"], "nested": True}, "<a><b></b></a>", 0.0),
        ({"tags": ["a", "b"], "nested": True}, "<a>x</a><b>y</b>", 0.0),
        ({"tags": ["a", "b"], "nested": True, "alone": True}, "<a>x<b>y</b></a>", 0.0),
        ({"tags": ["a", "b"], "nested": True, "alone": True}, "<a> <b>y</b>\n</a>", 1.0),
    ],
)
def test_elements(options: dict[str, Any], text: str, score: float) -> None:
    assert library_reward("xml", options).score(text, {}) == score


def test_elements_are_what_the_prompt_must_ask_for() -> None:
    assert library_reward("xml", {"tags": ["plan", "answer"]}).looks_for == ("<plan>", "<answer>")
    with pytest.raises(InvalidInput, match="twice"):
        library_reward("xml", {"tags": ["a", "a"]})


PERSON = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ('{"age": 31}', 1.0),
        (' {"age": 31, "name": "Ana"}\n', 1.0),
        ('{"age": "31"}', 0.0),
        ("{}", 0.0),
        ("[31]", 0.0),
        ('So: {"age": 31}', 0.0),
        ('{"age": NaN}', 0.0),
        ("[" * 100_000, 0.0),
        ("", 0.0),
    ],
)
def test_json_by_a_schema(text: str, score: float) -> None:
    assert library_reward("json-schema", {"shape": PERSON}).score(text, {}) == score


def test_a_row_can_bring_its_schema_as_object_or_text() -> None:
    reward = library_reward("json-schema", {"column": "wanted", "inside": "answer"})
    assert reward.columns == ("wanted",)
    assert reward.score("<answer>3</answer>", {"wanted": {"type": "integer"}}) == 1.0
    assert reward.score("<answer>3</answer>", {"wanted": '{"type": "string"}'}) == 0.0
    assert reward.score("3", {"wanted": {"type": "integer"}}) == 0.0


@pytest.mark.parametrize("schema", ['{"type": 3}', "no", "[1]", "7"])
def test_a_rows_schema_that_is_none_is_said(schema: str) -> None:
    with pytest.raises(InvalidInput, match="no JSON schema"):
        library_reward("json-schema", {"column": "wanted"}).score("3", {"wanted": schema})


def test_an_options_schema_is_checked_at_once() -> None:
    with pytest.raises(InvalidInput, match="no JSON schema"):
        library_reward("json-schema", {"shape": {"type": "wholes"}})
    with pytest.raises(InvalidInput, match="one of the two"):
        library_reward("json-schema", {})


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/schema.json", "file:///etc/hostname"])
def test_no_schema_makes_the_reward_fetch_another(address: str) -> None:
    reward = library_reward("json-schema", {"shape": {"$ref": address}})
    with pytest.raises(InvalidInput, match="elsewhere"):
        reward.score("{}", {})


def test_references_inside_a_schema_and_to_the_drafts_are_followed() -> None:
    inner = {"$ref": "#/$defs/age", "$defs": {"age": {"type": "integer"}}}
    assert library_reward("json-schema", {"shape": inner}).score("3", {}) == 1.0
    draft = {"$ref": "https://json-schema.org/draft/2020-12/schema"}
    assert library_reward("json-schema", {"shape": draft}).score('{"type": "wholes"}', {}) == 0.0


@pytest.mark.parametrize(
    ("options", "text", "score"),
    [
        ({"at_most": 5}, "12345", 1.0),
        ({"at_most": 5}, "123456", 0.0),
        ({"at_most": 5, "slack": 4}, "123456", 0.75),
        ({"at_most": 5, "slack": 4}, "1" * 50, 0.0),
        ({"at_least": 3, "at_most": 5, "slack": 2}, "12", 0.5),
        ({"at_least": 1, "at_most": 2, "unit": "words"}, " two  words ", 1.0),
        ({"at_least": 1, "at_most": 2, "unit": "words"}, "", 0.0),
    ],
)
def test_length(options: dict[str, Any], text: str, score: float) -> None:
    assert library_reward("length", options).score(text, {}) == score


# Equation 13 of the DAPO paper with L_max 100 and L_cache 20.
@pytest.mark.parametrize(("words", "score"), [(0, 0.0), (80, 0.0), (90, -0.5), (100, -1.0), (101, -1.0), (500, -1.0)])
def test_overlong(words: int, score: float) -> None:
    reward = library_reward("overlong", {"limit": 100, "cache": 20, "unit": "words"})
    assert reward.score("a " * words, {}) == pytest.approx(score)
    assert library_reward("overlong", {"limit": 100, "cache": 20}).score("a" * words, {}) == pytest.approx(score)


@pytest.mark.parametrize(
    ("text", "score"), [("a b c d", 0.0), ("a a a a a", -0.75), ("a", 0.0), ("", 0.0), ("a b a b", -1 / 3)]
)
def test_repetition(text: str, score: float) -> None:
    assert library_reward("repetition", {"ngram": 2, "unit": "words"}).score(text, {}) == pytest.approx(score)


def test_bounds_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(InvalidInput, match="at_least"):
        library_reward("length", {"at_least": 9, "at_most": 3})
    with pytest.raises(InvalidInput, match="cache"):
        library_reward("overlong", {"limit": 3, "cache": 9})
    with pytest.raises(InvalidInput, match="penalty"):
        library_reward("repetition", {"penalty": 1.0})
