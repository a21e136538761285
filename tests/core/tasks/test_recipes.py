"""Recipes: reproducible examples, sensible starting values, clear refusals."""

import itertools
import json
from pathlib import Path

import pytest

from core.errors import InvalidInput, NotFound
from core.tasks.registry import RECIPES, compose, get_recipe
from core.tasks.task import Task

OFFLINE = [recipe for recipe in RECIPES if not recipe.needs_dataset]


@pytest.mark.parametrize("recipe", OFFLINE, ids=lambda recipe: recipe.name)
def test_seed_decides_the_examples(recipe: Task) -> None:
    assert recipe.examples(50, seed=3) == recipe.examples(50, seed=3)
    assert recipe.examples(50, seed=3) != recipe.examples(50, seed=4)
    assert recipe.example_prompt()


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
@pytest.mark.parametrize("model", ["smollm2-135m", "qwen2.5-1.5b", "llama-3.1-8b", "some/unknown-model"])
@pytest.mark.parametrize("gpu", ["cpu", "rtx-4090"])
def test_starting_values_make_a_config(recipe: Task, model: str, gpu: str) -> None:
    config = compose(recipe.name, model, gpu, {})
    assert config.rank == (16 if gpu == "cpu" else 64)
    assert sum(recipe.weights({}).values()) == pytest.approx(1.0)


def test_overrides_win_also_by_the_libraries_names() -> None:
    config = compose("addition", "smollm2-135m", "cpu", {"max_completion_length": 99, "rank": 8})
    assert (config.completion_tokens, config.rank) == (99, 8)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(NotFound, match="addition"):
        get_recipe("adition")
    with pytest.raises(NotFound, match="gpu"):
        compose("addition", "smollm2-135m", "rtx-9999", {})
    with pytest.raises(InvalidInput, match="reward_weights"):
        get_recipe("addition").weights({"speed": 1.0})


def test_gsm8k_reads_a_local_copy(tmp_path: Path) -> None:
    rows = [{"question": f"{n} + 1?", "answer": f"{n} + 1 = {n + 1}\n#### {n + 1:,}"} for n in (1, 1998)]
    (tmp_path / "train.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    recipe = get_recipe("gsm8k")
    examples = list(itertools.islice(recipe.generate(str(tmp_path), 0), 4))
    assert {example.fields["answer"] for example in examples} == {"2", "1999"}
    for example in examples:
        assert [reward.function(recipe.gold(example.fields), example.fields) for reward in recipe.rewards] == [1.0, 1.0]


def test_gsm8k_without_data_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="dataset"):
        next(get_recipe("gsm8k").generate(str(tmp_path / "nowhere"), 0))
