"""Roles: what each column is probably for, and why."""

from typing import Any

import pytest

from core.errors import InvalidInput
from core.tasks.data.columns import observe
from core.tasks.data.roles import guess_roles, refuse_media

CHAT = [{"role": "user", "content": "hi"}]


def guessed(*rows: dict[str, Any]) -> dict[str, tuple[str, str]]:
    columns = observe((), rows, {})
    return {guess.column: (guess.role, guess.reason) for guess in guess_roles(columns, rows)}


def test_names_decide_and_reasons_are_words() -> None:
    assert guessed({"id": 7, "question": "What is the capital of France?", "answer": "Paris", "note": "easy"}) == {
        "id": ("field", "holds number"),
        "question": ("prompt", "named 'question' and holds the longest text"),
        "answer": ("answer", "named 'answer'"),
        "note": ("field", "holds text"),
    }


@pytest.mark.parametrize(
    ("row", "roles"),
    [
        ({"Problem": "1+1", "Solution": "it is 2"}, {"prompt": "Problem", "answer": "Solution"}),
        ({"instruction": "Add", "input": "1 1", "output": "2"}, {"prompt": "instruction", "answer": "output"}),
        (
            {"user_prompt": "hi", "final_answer": 3, "solution": "so"},
            {"prompt": "user_prompt", "answer": "final_answer"},
        ),
        ({"prompt": CHAT, "ground_truth": "x"}, {"messages": "prompt", "answer": "ground_truth"}),
        ({"messages": CHAT, "system": "Be brief."}, {"messages": "messages", "system": "system"}),
        ({"land": "a longer text", "stadt": "short"}, {"prompt": "land", "answer": "stadt"}),
        ({"a": "a longer text", "b": "short", "c": "tiny"}, {"prompt": "a"}),
        ({"n": 1, "m": 2}, {}),
    ],
)
def test_usual_shapes(row: dict[str, Any], roles: dict[str, str]) -> None:
    found = {role: column for column, (role, _) in guessed(row).items() if role != "field"}
    assert found == roles


def test_the_longest_text_is_the_prompt_where_no_name_says() -> None:
    role, reason = guessed({"a": "x" * 213, "b": "y", "c": "z"})["a"]
    assert (role, reason) == ("prompt", "holds the longest text (213 characters on average)")


def test_images_and_audio_are_refused() -> None:
    rows: list[dict[str, Any]] = [{"prompt": "cats/1.PNG", "question": "What is it?", "clip": "a.wav"}]
    columns = {column.name: column for column in observe((), rows, {})}
    assert guessed(*rows)["prompt"] == ("unused", "holds images, which no task can use")
    assert guessed(*rows)["question"][0] == "prompt"
    with pytest.raises(
        InvalidInput, match="`column` is 'clip', a column of audio, which no task can use: choose a column"
    ):
        refuse_media(columns["clip"])
    refuse_media(columns["question"])
