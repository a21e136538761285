"""Rewards and advantages replayed: as TRL computes them, and as stored runs have them."""

import random
from dataclasses import replace

import pytest

from core.config import make_config
from core.errors import InvalidInput
from core.insights.replay import largest_changes, make_reweighting, replay_step, scored_text
from core.records.rollout import Completion, Group, RewardScore
from core.tasks.advantages import advantages, is_flat, weighted
from core.tasks.registry import get_recipe

ADDITION = get_recipe("addition")
CONFIG = make_config({"model": "smollm2-135m", "recipe": "addition"})


def a_group(index: int, chance: random.Random) -> Group:
    """Completions scored and weighed as a run with the recipe's own weights stores them."""
    made = []
    for place in range(4):
        text = chance.choice(("<answer>4</answer><|im_end|>", "it is 4<|im_end|>", "<answer>5</answer><|im_end|>"))
        right, form = float("<answer>4" in text), float("<answer>" in text)
        scores = (RewardScore("correctness", right), RewardScore("format", form))
        made.append(Completion(place, text, "stop", 0.8 * right + 0.2 * form, 0.0, scores))
    gained = advantages([[one.reward for one in made]], "group")[0]
    members = tuple(replace(one, advantage=value) for one, value in zip(made, gained, strict=True))
    return Group(index, "What is 2+2?", (), {"answer": 4}, members)


GROUPS = [a_group(index, random.Random(index)) for index in range(6)]


def test_with_the_same_weights_nothing_changes() -> None:
    step = replay_step(1, GROUPS, make_reweighting(ADDITION, CONFIG, {}, {}), CONFIG)
    assert step.reward == step.reward_then
    assert step.flat == step.flat_then
    assert largest_changes([step]) == []
    assert [turn.advantage for turn in step.turns] == [one.advantage for group in GROUPS for one in group.completions]


def test_other_weights_give_what_training_with_them_would_have_given() -> None:
    plan = make_reweighting(ADDITION, CONFIG, {"correctness": 0.0, "format": 1.0}, {})
    step = replay_step(1, GROUPS, plan, CONFIG)
    rewards = [[1.0 if "<answer>" in one.text else 0.0 for one in group.completions] for group in GROUPS]
    assert [turn.reward for turn in step.turns] == [value for group in rewards for value in group]
    assert [turn.advantage for turn in step.turns] == [value for g in advantages(rewards, "group") for value in g]
    first = largest_changes([step])[0]
    assert first.advantage * first.completion.advantage <= 0


def test_a_function_scores_what_it_was_given_in_training() -> None:
    own = replay_step(
        1, GROUPS, make_reweighting(ADDITION, CONFIG, {}, {"correctness": "number", "format": "tags"}), CONFIG
    )
    assert largest_changes([own]) == []
    other = replay_step(1, GROUPS, make_reweighting(ADDITION, CONFIG, {}, {"correctness": "countdown-target"}), CONFIG)
    assert any("KeyError" in turn.error for turn in other.turns)  # the recipe's fields have no numbers
    assert scored_text("<answer>4</answer><|im_end|>") == "<answer>4</answer>"


@pytest.mark.parametrize(
    ("weights", "functions"),
    [({"beauty": 1.0}, {}), ({"format": 1e9}, {}), ({}, {"beauty": "number"}), ({}, {"format": "os.system"})],
)
def test_what_cannot_be_replayed_is_refused(weights: dict[str, float], functions: dict[str, str]) -> None:
    with pytest.raises(InvalidInput):
        make_reweighting(ADDITION, CONFIG, weights, functions)


def test_unscored_completions_count_for_nothing() -> None:
    assert weighted({"a": None, "b": 0.5}, {"a": 1.0, "b": 2.0}) == 1.0
    assert weighted({"a": None}, {"a": 1.0}) is None
    assert advantages([[None, None]], "group") == [[0.0, 0.0]]
    assert advantages([[1.0, None, 1.0]], "group") == [[0.0, 0.0, 0.0]]
    assert is_flat([None, 0.5, 0.5])
    assert not is_flat([0.0, 0.1])


@pytest.mark.parametrize("scale", ["group", "batch", "none"])
def test_advantages_are_those_of_trl(scale: str) -> None:
    """The lines of GRPOTrainer._generate_and_score_completions that turn rewards into advantages, with TRL's nanstd."""
    torch = pytest.importorskip("torch")
    nanstd = pytest.importorskip("trl.trainer.utils").nanstd
    chance = random.Random(0)
    groups = [[None if chance.random() < 0.1 else chance.choice((0.0, 0.2, 1.0)) for _ in range(8)] for _ in range(50)]
    groups += [[0.5] * 8, [None] * 8, [None] * 7 + [1.0]]
    rewards = torch.tensor([[float("nan") if value is None else value for value in group] for group in groups])
    mean = torch.nanmean(rewards, dim=1, keepdim=True)
    spread = nanstd(rewards) if scale == "batch" else nanstd(rewards, dim=1, keepdim=True)
    expected = rewards - mean if scale == "none" else (rewards - mean) / (spread + 1e-4)
    found = torch.tensor(advantages(groups, scale))  # type: ignore[arg-type]
    torch.testing.assert_close(found, torch.nan_to_num(expected, nan=0.0), atol=2e-3, rtol=1e-3)
