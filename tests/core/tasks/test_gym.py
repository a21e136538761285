"""reasoning-gym's families as tasks: the same questions for the same seed, right answers score, others do not."""

import hashlib
import itertools
import json
import random
import subprocess
import sys

import pytest
from bench_support import in_this_process
from sandbox_support import every_lock

from core.errors import InvalidInput, NotFound
from core.settings import PROJECT
from core.tasks.bench import bench
from core.tasks.builtin.generators import GENERATORS
from core.tasks.gym import REFUSED, distinct_prompts, families, gym_generator
from core.tasks.own.build import generated_task
from core.tasks.own.spec import parse_spec
from core.tasks.rewards.gym import gym_module
from core.tasks.rewards.library import library_reward
from core.tasks.sandbox.box import Box
from core.tasks.sandbox.levels import Level
from core.tasks.sandbox.scorer import Frame, Patience, SandboxedScorer
from core.tasks.sandbox.sources import Library
from core.tasks.task import Example, Task

# Half a second a question and more; the others take milliseconds.
SLOW = {"futoshiki", "puzzle24", "quantum_lock", "sokoban", "sudoku", "zebra_puzzles"}
QUICK = sorted({*families()} - SLOW)
score = library_reward("reasoning-gym", {}).score
FILE = """
name = "sums"
[data]
use = "reasoning-gym:chain_sum"
settings = { min_terms = 2, max_terms = 3 }
shots = 2
[[reward]]
use = "reasoning-gym"
weight = 0.8
[[reward]]
use = "tags"
weight = 0.2
"""


def examples(family: str, count: int, seed: int = 0) -> list[Example]:
    return list(itertools.islice(gym_generator(f"reasoning-gym:{family}", {}).generate("", seed), count))


def sums(text: str = FILE) -> Task:
    return generated_task(parse_spec(text), PROJECT, {})


@pytest.mark.parametrize("family", QUICK)
def test_right_answers_score_and_silence_does_not(family: str) -> None:
    generator = gym_generator(f"reasoning-gym:{family}", {})
    for example in itertools.islice(generator.generate("", 7), 5):
        assert json.loads(json.dumps(example.fields)) == example.fields
        assert score(generator.gold(example.fields), example.fields) == 1.0
        for nothing in ("", "zz top", "<answer></answer>", "<answer>zz qq 9999999</answer>"):
            assert score(nothing, example.fields) < 0.5  # type: ignore[operator]
        assert score("<answer></answer>", example.fields) == 0.0


def test_the_same_questions_for_a_seed_whatever_the_hash_seed() -> None:
    chosen = ["chain_sum", "family_relationships", "syllogism", "group_anagrams", "course_schedule", "word_sorting"]
    program = (
        "import hashlib, itertools, json; from core.tasks.gym import gym_generator\n"
        f"for family in {chosen}:\n"
        "    asked = itertools.islice(gym_generator(f'reasoning-gym:{family}', {}).generate('', 3), 20)\n"
        "    print(hashlib.sha256(json.dumps([each.prompt for each in asked]).encode()).hexdigest())\n"
    )
    found = [
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=PROJECT,
            env={"PYTHONHASHSEED": hashing, "PATH": ""},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        for hashing in ("1", "2")
    ]
    here = [
        hashlib.sha256(json.dumps([each.prompt for each in examples(family, 20, seed=3)]).encode()).hexdigest()
        for family in chosen
    ]
    assert found == [here, here]


def test_seeds_side_by_side_ask_different_questions() -> None:
    long = gym_generator("reasoning-gym:chain_sum", {"min_terms": 6, "min_digits": 4})
    asked = [{each.prompt[-1]["content"] for each in itertools.islice(long.generate("", seed), 300)} for seed in (0, 1)]
    assert [len(questions) for questions in asked] == [300, 300]
    assert not asked[0] & asked[1]


def test_a_question_that_a_family_gives_up_on_is_passed_over_the_same_way_each_time() -> None:
    drawn = random.Random("reasoning-gym:maze 17").getrandbits(31)
    questions = gym_module().create_dataset("maze", seed=drawn, size=100_000)
    with pytest.raises(RuntimeError):
        questions[48]
    asked = examples("maze", 60, seed=17)
    assert len(asked) == 60
    assert asked == examples("maze", 60, seed=17)


@pytest.mark.parametrize("family", REFUSED)
def test_families_that_cannot_be_trained_on_are_refused_with_the_reason(family: str) -> None:
    with pytest.raises(InvalidInput, match="choose another family") as caught:
        gym_generator(f"reasoning-gym:{family}", {})
    assert REFUSED[family] in str(caught.value)
    assert family not in families()


def test_families_and_settings_that_are_none_are_named() -> None:
    with pytest.raises(NotFound, match="chain_sum"):
        gym_generator("reasoning-gym:chain_sums", {})
    with pytest.raises(InvalidInput, match=r"terms.*max_terms"):
        gym_generator("reasoning-gym:chain_sum", {"terms": 2})
    with pytest.raises(InvalidInput, match="seed"):
        gym_generator("reasoning-gym:chain_sum", {"seed": 2})
    with pytest.raises(InvalidInput, match="refuses"):
        gym_generator("reasoning-gym:chain_sum", {"min_terms": 9, "max_terms": 3})
    with pytest.raises(InvalidInput, match="shots"):
        gym_generator("reasoning-gym:chain_sum", {}, shots=99)
    with pytest.raises(InvalidInput, match="leave it empty"):
        next(gym_generator("reasoning-gym:chain_sum", {}).generate("rows.csv", 0))


def test_a_task_file_names_a_family_with_settings_and_answered_examples() -> None:
    task = sums()
    first, second = task.examples(2, seed=5)
    assert [message["role"] for message in first.prompt] == ["user", "assistant"] * 2 + ["user"]
    assert first.prompt[:4] == second.prompt[:4] != first.prompt[4:]
    assert first.prompt[1]["content"].startswith("<answer>")
    assert "between <answer> and </answer>" in first.prompt[-1]["content"]
    assert first.fields["settings"] == {"min_terms": 2, "max_terms": 3}
    shown = {message["content"] for message in first.prompt[:4]}
    assert not any(example.prompt[-1]["content"] in shown for example in task.examples(2000, seed=5))


def test_the_bench_says_of_a_family_that_text_around_an_answer_costs_a_part_only() -> None:
    task = sums()
    report = bench(task, in_this_process(task), task.examples(40, seed=1))
    assert report.total.means["gold"] == pytest.approx(1.0)
    assert report.total.means["empty"] == 0.0
    doubtful = [finding for finding in report.findings if finding.severity != "sound"]
    assert {finding.severity for finding in doubtful} == {"warning"}
    assert all("denied" in finding.says for finding in doubtful)


def test_settings_of_a_function_that_has_none_and_unknown_functions_are_refused() -> None:
    with pytest.raises(NotFound, match="reasoning-gym:FAMILY"):
        sums(FILE.replace("reasoning-gym:chain_sum", "addition"))
    for line in ("settings = { digits = 2 }", "shots = 2"):
        spec = parse_spec(f'name = "sums"\n[data]\nuse = "addition"\n{line}\n[[reward]]\nuse = "tags"')
        with pytest.raises(InvalidInput, match="addition does not take"):
            generated_task(spec, PROJECT, GENERATORS)
    with pytest.raises(InvalidInput, match=r"prompt\.shots"):
        parse_spec(
            'name = "rows"\n[data]\nsource = "a.csv"\nshots = 2\n[prompt]\nuser = "{a}"\n[[reward]]\nuse = "tags"'
        )


def test_families_that_run_out_of_questions_are_told_by_the_distinct_ones() -> None:
    easy = {"min_terms": 2, "max_terms": 2, "min_digits": 1, "max_digits": 1}
    found, looked = distinct_prompts(gym_generator("reasoning-gym:chain_sum", easy).generate("", 0), 5000, seconds=60)
    assert (found <= 200, looked) == (True, 5000)
    found, looked = distinct_prompts(gym_generator("reasoning-gym:gcd", {}).generate("", 0), 2000, seconds=60)
    assert (found > 1900, looked) == (True, 2000)
    assert distinct_prompts(gym_generator("reasoning-gym:gcd", {}).generate("", 0), 2000, seconds=0) == (1, 1)


@pytest.mark.parametrize(
    "family", ["countdown", "fraction_simplification", "prime_factorization", "sentence_reordering"]
)
def test_what_a_family_gives_to_anything_counts_as_nothing(family: str) -> None:
    (example,) = examples(family, 1)
    assert score("<answer>zz top</answer>", example.fields) == 0.0


def test_near_answers_keep_what_the_family_gives_them() -> None:
    (example,) = examples("spell_backward", 1, seed=2)
    near = 0.0
    for text in (example.fields["answer"][:-1], example.fields["answer"][1:] + "q"):
        near = max(near, score(f"<answer>{text}</answer>", example.fields) or 0.0)
    assert 0.05 < near < 1.0


@every_lock
def test_answers_are_scored_where_nothing_can_be_written(level: Level) -> None:
    frames = []
    for family in ("chain_sum", "game_of_life", "sokoban", "gsm_symbolic"):
        generator = gym_generator(f"reasoning-gym:{family}", {})
        example = next(generator.generate("", 4))
        frames.append(Frame(example.prompt, (generator.gold(example.fields), "<answer>zz</answer>"), example.fields))
    library = Library("core.tasks.rewards.library:scored_by", {"gym": '{"use": "reasoning-gym"}'})
    with Box(library, level) as box:
        scored = SandboxedScorer(box, patience=Patience(group=60, step=120)).score(frames, ["gym"])
    assert [outcome.error for outcome in scored.outcomes["gym"]] == [None] * 8
    assert [outcome.value for outcome in scored.outcomes["gym"]] == [1.0, 0.0] * 4
