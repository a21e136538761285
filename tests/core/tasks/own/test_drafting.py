"""A first task file for data: what each column is taken for, and that the draft trains as it stands."""

from pathlib import Path

import pytest
from own_support import write_capitals, write_jsonl

from core.errors import InvalidInput
from core.tasks.data import DataSource
from core.tasks.own.build import OwnTask
from core.tasks.own.drafting import OWN_FILE, Draft, draft_task, name_of
from core.tasks.own.examination import examine, report_lines
from core.tasks.own.spec import parse_spec, write_spec


def drafted(path: Path) -> Draft:
    return draft_task(DataSource(path.name), "mine", base=path.parent, cache=path.parent / "cache")


def test_a_table_of_questions_and_answers_becomes_a_task(tmp_path: Path) -> None:
    draft = drafted(write_capitals(tmp_path))
    assert {guess.column: guess.role for guess in draft.guesses} == {"country": "prompt", "answer": "answer"}
    spec = parse_spec(write_spec(draft.spec))
    assert [part.use for part in spec.reward] == ["normalised", "tags"]
    task = OwnTask(spec, tmp_path, tmp_path / "cache").task()
    example = task.examples(1, 0)[0]
    assert [reward.function(task.gold(example.fields), example.fields) for reward in task.rewards] == [1.0, 1.0]


def test_numbers_are_compared_as_numbers(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "sums.jsonl", [{"question": f"{n} + 1?", "result": n + 1} for n in range(20)])
    parts = drafted(path).spec.reward
    assert (parts[0].use, parts[0].options) == ("number", {"inside": "answer", "expect": "{result}"})


def test_rows_without_answers_get_a_function_to_begin_with(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "prompts.jsonl", [{"prompt": f"Tell a story about {n} cats."} for n in range(20)])
    draft = drafted(path)
    assert draft.spec.reward[0].python == f"{OWN_FILE}:reward"
    (tmp_path / OWN_FILE).write_text(draft.code, encoding="utf-8")
    OwnTask(draft.spec, tmp_path, tmp_path / "cache").task()


def test_data_with_nothing_to_ask_about_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no column to ask about"):
        drafted(write_jsonl(tmp_path / "numbers.jsonl", [{"a": 1, "b": 2}] * 3))


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("Capital Cities.csv", "capital-cities"),
        ("hub:openai/gsm8k", "gsm8k"),
        ("a/b/rows.jsonl.gz", "rows"),
        ("?", "task"),
    ],
)
def test_a_task_is_named_after_its_data(source: str, name: str) -> None:
    assert name_of(source) == name


def test_rows_and_warnings_are_told_by_line(tmp_path: Path) -> None:
    path = write_capitals(tmp_path)
    with path.open("a", encoding="utf-8") as file:
        file.write("France,Paris\nNowhere,too,many\n")
    spec = drafted(path).spec
    silent = parse_spec(
        write_spec(spec).replace("between <answer> and </answer>", "please").replace("shots = 1", "shots = 0")
    )
    *_, found = examine(OwnTask(silent, tmp_path, tmp_path / "cache"))
    said = "\n".join(report_lines(found))
    assert "12 rows, 11 of them can be used." in said
    assert "capitals.csv, line 13" in said
    assert "1 rows with the prompt of an earlier row" in said
    assert "Reward normalised looks for <answer>" in said
