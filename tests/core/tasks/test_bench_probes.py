"""The texts that rewards are tried with."""

import json

import pytest
from bench_support import asked, tagged

from core.tasks.bench.answers import answer_part, other_case, other_spacing, with_answer
from core.tasks.bench.probes import PROBES, texts_for


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<answer> 4 </answer>", "4"),
        ("<think>2</think><answer>4</answer> so", "4"),
        ("<r>see <answer>4</answer></r>", "4"),
        ("<answer>4</answer> or <answer>5</answer>", "5"),
        ("just 4", "just 4"),
        ("<answer>4", "<answer>4"),
    ],
)
def test_the_answer_in_a_completion(text: str, answer: str) -> None:
    assert answer_part(text) == answer


def test_the_same_completion_with_another_answer() -> None:
    assert with_answer("<think>2</think><answer>4</answer>!", "7") == "<think>2</think><answer>7</answer>!"
    assert with_answer("4", "7") == "7"


def test_case_changes_in_the_words_alone() -> None:
    assert other_case("<Answer>Paris</Answer>") == "<Answer>paris</Answer>"
    assert other_case("<answer>paris</answer>") == "<answer>PARIS</answer>"
    assert other_case(r"\boxed{\frac{A}{2}}") == r"\boxed{\frac{A}{2}}"
    assert json.loads(other_case('{"Name": "Ana", "age": 3}')) == {"Name": "ana", "age": 3}


def test_spacing_changes_around_the_answer_alone() -> None:
    assert other_spacing("<answer>New York</answer>") == "\n<answer> New York  </answer> \n"
    assert json.loads(other_spacing('{"a b": "c  d"}')) == {"a b": "c  d"}


def test_every_probe_is_made_and_none_says_what_gold_says() -> None:
    examples = [asked(f"Of 1 to 9, which is {word}?", answer=word) for word in ("One", "Two", "Three")]
    golds = [tagged(example.fields) for example in examples]
    for row, texts in enumerate(texts_for(examples, golds, ["answer"])):
        assert {*texts} == {probe.name for probe in PROBES}
        assert texts["tags only"] == "<answer></answer>"
        assert texts["last number"] == "<answer>9</answer>"
        wrong = [texts[probe.name] for probe in PROBES if probe.kind == "wrong"]
        assert all(answer_part(text) != examples[row].fields["answer"] for text in wrong)


def test_the_list_of_all_answers_has_the_right_one_neither_first_nor_last() -> None:
    examples = [asked("?", answer=answer) for answer in ("a", "b", "c", "d", "a")]
    golds = [tagged(example.fields) for example in examples]
    for row, texts in enumerate(texts_for(examples, golds, [])):
        listed = answer_part(texts["all answers"]).split(", ")
        assert sorted(listed) == ["a", "b", "c", "d"]
        assert examples[row].fields["answer"] in listed[1:-1]


def test_what_cannot_be_wrong_in_a_row_is_left_out_there() -> None:
    (texts,) = texts_for([asked("What is 4?", answer="4")], ["<answer>4</answer>"], [])
    assert "last number" not in texts
    assert "other gold" not in texts
    assert "other case" not in texts
    assert "all answers" not in texts


def test_without_gold_the_tags_are_those_that_rewards_look_for() -> None:
    (texts,) = texts_for([asked("Hello")], [""], ["think", "answer"])
    assert texts["tags only"] == "<think></think><answer></answer>"
    assert "gold" not in texts
    assert "order to the grader" in texts
