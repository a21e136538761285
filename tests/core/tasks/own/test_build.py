"""A task file becomes a task: what is asked, what is held out, what is refused."""

import itertools
from pathlib import Path

import pytest
from own_support import CAPITALS, TASK, make_task, saved, write_jsonl

from core.errors import GrouperError, InvalidInput
from core.tasks.own.build import OwnTask
from core.tasks.own.saved import list_saved
from core.tasks.own.spec import parse_spec, write_spec

BRIEF = """
def brief(completions, **kwargs):
    return [1.0 for each in completions]
"""


def countries(own: OwnTask, count: int, seed: int = 0) -> list[str]:
    return [example.fields["country"] for example in itertools.islice(own.generate("", seed), count)]


def test_a_row_is_asked_after_one_that_is_shown_answered(tmp_path: Path) -> None:
    example = make_task(tmp_path / "a").task().examples(1, seed=0)[0]
    roles = [message["role"] for message in example.prompt]
    assert roles == ["system", "user", "assistant", "user"]
    assert example.prompt[-1]["content"] == f"What is the capital of {example.fields['country']}?"
    assert example.prompt[2]["content"] in {f"<answer>{capital}</answer>" for _, capital in CAPITALS}
    assert example.prompt[1]["content"] != example.prompt[-1]["content"]


def test_every_row_is_asked_once_before_any_is_asked_again(tmp_path: Path) -> None:
    own = make_task(tmp_path / "a")
    round_of = len(CAPITALS) - 2 - 1  # held out, shown
    asked = countries(own, 2 * round_of, seed=5)
    assert len(set(asked[:round_of])) == round_of
    assert set(asked[round_of:]) == set(asked[:round_of])
    assert asked == countries(make_task(tmp_path / "b"), 2 * round_of, seed=5)
    assert asked != countries(own, 2 * round_of, seed=6)


def test_held_out_rows_are_the_same_for_every_seed_and_never_trained_on(tmp_path: Path) -> None:
    task = make_task(tmp_path / "a").task()
    evaluated = [example.fields["country"] for example in task.evaluation_examples("", 1)]
    assert len(evaluated) == 2
    assert evaluated == [example.fields["country"] for example in task.evaluation_examples("", 2)]
    for seed in range(5):
        assert not set(evaluated) & {example.fields["country"] for example in task.examples(30, seed)}


def test_the_gold_answer_scores_one(tmp_path: Path) -> None:
    task = make_task(tmp_path / "a").task()
    for example in task.examples(8, 0):
        assert [reward.function(task.gold(example.fields), example.fields) for reward in task.rewards] == [1.0, 1.0]


def test_a_chat_column_is_asked_without_its_answer(tmp_path: Path) -> None:
    chat = [{"role": "user", "content": "Hello?"}, {"role": "assistant", "content": "the answer"}]
    text = 'name = "chats"\n[data]\nsource = "chats.jsonl"\n[evaluation]\nrows = 0\n[prompt]\nmessages = "chat"\n'
    text += '[[reward]]\nuse = "tags"\n'
    own = make_task(tmp_path / "a", text)
    write_jsonl(tmp_path / "a/chats.jsonl", [{"chat": chat}, {"chat": chat[:1]}])
    for example in own.task().examples(2, 0):
        assert [message["content"] for message in example.prompt] == ["Hello?"]


def test_an_answer_may_stand_where_verls_tables_keep_it(tmp_path: Path) -> None:
    code = "def compute_score(data_source, solution_str, ground_truth, extra_info=None):\n    return 1.0\n"
    text = TASK[: TASK.index("[[reward]]")].replace("capitals.csv", "rows.jsonl").replace("{answer}", "{country}")
    own = make_task(tmp_path / "a", text + '[[reward]]\npython = "rewards.py:compute_score"\n', code)
    rows = [{"country": country, "reward_model": {"ground_truth": city}} for country, city in CAPITALS]
    write_jsonl(tmp_path / "a/rows.jsonl", [*rows, {"country": "Atlantis"}])
    asked = {example.fields["country"]: example.fields for example in own.task().examples(40, 0)}
    assert 5 < len(asked) < len(rows)
    assert all("reward_model" in fields for fields in asked.values())


def test_bad_rows_are_left_out_or_stop_the_run_as_the_task_says(tmp_path: Path) -> None:
    own = make_task(tmp_path / "a")
    with (tmp_path / "a/capitals.csv").open("a", encoding="utf-8") as file:
        file.write("Nowhere,too,many\nEmptyland,\n")
    asked = set(countries(OwnTask(own.spec, own.folder, own.cache), 30))
    assert asked <= {country for country, _ in CAPITALS}
    strict = parse_spec(TASK.replace('source = "capitals.csv"', 'source = "capitals.csv"\nbad_rows = "stop"'))
    with pytest.raises(GrouperError, match=r"line 1[23]"):
        countries(OwnTask(strict, own.folder, own.cache), 30)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("{country}", "{city}", "no column city"),
        ("{country}", "{country.upper}", "more than a column"),
        ('inside = "answer"', 'inside = "answer"\nexpect = "{capital}"', "no column capital"),
        ('use = "tags"', 'use = "tagz"', "tagz"),
        ('use = "tags"', 'use = "tags"\ncolour = "red"', "colour"),
        ('source = "capitals.csv"', 'source = "gone.csv"', "gone.csv"),
        ("shots = 1", "shots = 9", "shots"),
        ("rows = 2", 'rows = 2\nsource = "gone.csv"', "gone.csv"),
        ('[[reward]]\nuse = "tags"', '[[reward]]\npython = "rewards.py:long"', "long"),
        ("weight = 0.2", 'weight = 0.2\nname = "normalised"', "two rewards"),
        ('name = "capitals"', 'name = "Capitals!"', "name"),
        ("[prompt]", "[start]\ncolour = 3\n[prompt]", "colour"),
        ("[prompt]", '[start]\nmodel = "x"\n[prompt]', "no setting"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_name(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    assert old in TASK
    with pytest.raises(InvalidInput, match=sentence):
        saved(make_task(tmp_path / "a", TASK.replace(old, new), BRIEF), tmp_path / "tasks")
    assert list_saved(tmp_path / "tasks") == []


def test_a_task_file_survives_being_written_and_read() -> None:
    spec = parse_spec(TASK)
    assert parse_spec(write_spec(spec)) == spec
