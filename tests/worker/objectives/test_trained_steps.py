"""What a real trainer hands over: tokens as it scored them, advantages as replay has them, answers to fixed prompts."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_support import tiny_model, tiny_policy, tiny_tokenizer

from core.config import make_config
from core.insights.replay import Reweighting, replay_step
from core.records.evaluation import EvaluationPrompt
from core.records.step import Step
from core.tasks.registry import get_recipe
from core.tasks.scoring import Scoring
from core.tasks.task import Reward
from core.worker import memory
from core.worker.engines.transformers import TransformersEngine
from core.worker.loading.load import Loaded
from core.worker.loading.weights import attach_adapter, load_base
from core.worker.rollouts.evaluation import PROMPTS, Evaluation, choose, prompt_text
from core.worker.rollouts.examples import choose_examples
from core.worker.rollouts.score import Scorer
from core.worker.training import prepare_training

CPU = torch.device("cpu")
# What random bytes earn differs from text to text.
RECIPE = replace(
    get_recipe("addition"),
    rewards=(
        Reward("short", 0.8, "", lambda text, fields: -float(len(text))),
        Reward("letters", 0.2, "", lambda text, fields: float(sum(map(str.isalpha, text)))),
    ),
)


def train(
    folder: Path,
    asked: bool = False,
    packed: bool = True,
    policy: Any = None,
    kind: type = TransformersEngine,
    **values: Any,
) -> tuple[list[Step], list[EvaluationPrompt]]:
    """(steps, answers) of a short run of a small random model, or of this `policy`."""
    small = {"group_size": 3, "prompts_per_step": 3, "prompt_tokens": 400, "completion_tokens": 9, "rank": 8}
    config = make_config({"model": "tiny", "recipe": "addition", "steps": 3, "evaluate_every": 2, **small, **values})
    tokenizer = tiny_tokenizer()
    policy = policy or tiny_policy("llama")
    engine = kind(tokenizer)
    engine.connect(policy)
    steps: list[Step] = []
    answers: list[EvaluationPrompt] = []

    def keep(step: Step) -> bool:
        steps.append(step)
        return False

    def note(given: Sequence[EvaluationPrompt]) -> None:
        answers.extend(given)

    examples = choose_examples(RECIPE, config, tokenizer)
    loaded = Loaded(policy, tokenizer, engine, "")
    keep_answers = note if asked else None
    prepare_training(loaded, config, RECIPE, examples, folder, keep, keep_answers=keep_answers, packed=packed).run()
    return steps, answers


def test_the_update_is_measured_while_the_engine_rests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    awake, booked = [True], []

    class Napping(TransformersEngine):
        def generate(self, *args: Any) -> Any:
            awake[0] = True
            return super().generate(*args)

        def rest(self) -> None:
            awake[0] = False

    monkeypatch.setattr(memory, "_peak", lambda asleep_bytes: booked.append(awake[0]) or (9 if awake[0] else 4))
    steps, _ = train(tmp_path, asked=True, kind=Napping)
    for step in steps:
        assert step.memory["update"] == 4
        assert step.memory["rollout"] == 9
    assert len(booked) > 3 * len(steps)


@pytest.mark.parametrize("packed", [True, False], ids=["packed", "padded"])
def test_every_token_has_what_the_trainer_made_of_it(tmp_path: Path, packed: bool) -> None:
    for step in train(tmp_path, packed=packed, steps=1, per_device_train_batch_size=3)[0]:
        for group in step.groups:
            for one in group.completions:
                assert one.length == len(one.trainer_logprobs) == len(one.entropies) > 0
                assert one.trainer_logprobs == pytest.approx(one.logprobs, abs=0.1)
                assert all(0 <= value < 6 for value in one.entropies)  # the vocabulary has 259 tokens


def test_groups_left_out_of_the_update_stay_unknown(tmp_path: Path) -> None:
    (step,), _ = train(tmp_path, steps=1, reward_weights={"short": 0.0, "letters": 0.0})
    scored = [group for group in step.groups if any(one.trainer_logprobs for one in group.completions)]
    assert len(scored) == 1  # all are flat; one is scored to watch the engine


@pytest.mark.parametrize("scale", ["group", "batch", "none"])
def test_replayed_steps_are_what_training_gave(tmp_path: Path, scale: str) -> None:
    """With the run's own weights, and with those of another run that begins with the same completions."""
    other = {"short": 0.1, "letters": -1.5}
    trained, _ = train(tmp_path / "a", steps=1, scale_rewards=scale)
    (otherwise,), _ = train(tmp_path / "b", steps=1, scale_rewards=scale, reward_weights=other)
    config = make_config({"model": "tiny", "recipe": "addition", "scale_rewards": scale})
    compared = [(step, step, RECIPE.weights({})) for step in trained] + [(trained[0], otherwise, other)]
    for step, expected, weights in compared:
        turns = replay_step(step.number, step.groups, Reweighting(weights), config).turns
        stored = [one for group in expected.groups for one in group.completions]
        assert [turn.completion.token_ids for turn in turns] == [one.token_ids for one in stored]
        assert [turn.reward for turn in turns] == pytest.approx([one.reward for one in stored], abs=1e-6)
        assert [turn.advantage for turn in turns] == pytest.approx([one.advantage for one in stored], abs=1e-3)
        assert any(abs(turn.advantage) > 0.1 for turn in turns)


def test_answers_to_fixed_prompts_leave_training_as_it_was(tmp_path: Path) -> None:
    quiet, none = train(tmp_path / "a")
    asked, answers = train(tmp_path / "b", asked=True)
    elsewhere, others = train(tmp_path / "c", asked=True, seed=9, steps=1)
    assert none == []
    for one, other in zip(quiet, asked, strict=True):
        assert one.groups == other.groups
    assert [reply.step for answer in answers for reply in answer.replies] == [0] * PROMPTS + [2] * PROMPTS + [
        3
    ] * PROMPTS
    prompts = [answer.prompt for answer in answers[:PROMPTS]]
    assert len(set(prompts)) == PROMPTS
    assert not set(prompts) & {group.prompt for step in asked for group in step.groups}
    assert elsewhere[0].groups != asked[0].groups
    before, then = ({one.prompt: one.replies[0].text for one in each[:PROMPTS]} for each in (answers, others))
    shared = before.keys() & then.keys()  # whatever the seed, for those that neither run trains on
    assert len(shared) > PROMPTS / 2
    assert all(before[prompt] == then[prompt] for prompt in shared)  # greedy: no chance in it
    reply = answers[0].replies[0]
    assert reply.reward == pytest.approx(0.8 * (reply.scores[0].value or 0) + 0.2 * (reply.scores[1].value or 0))


def test_fixed_prompts_are_others_than_those_trained_on_where_there_are_others() -> None:
    tokenizer, recipe = tiny_tokenizer(), get_recipe("addition")
    config = make_config({"model": "tiny", "recipe": "addition", "prompt_tokens": 400, "steps": 4})
    usual = [prompt_text(example) for example in choose(recipe, config, tokenizer).values()]
    everything = {prompt_text(example) for example in recipe.examples(5000, seed=0)}
    assert len(usual) == len(set(usual)) == PROMPTS

    moved = [prompt_text(one) for one in choose(recipe, config, tokenizer, trained=usual[:2]).values()]
    assert moved[:-2] == usual[2:]  # the others stay what they are for every run
    assert not set(moved[-2:]) & set(usual)

    left = sorted(everything)[:3]
    filled = [prompt_text(one) for one in choose(recipe, config, tokenizer, trained=everything - set(left)).values()]
    assert len(set(filled)) == PROMPTS
    assert set(filled[:3]) == set(left)  # as far as the recipe goes; then what is trained on
    assert filled == [prompt_text(one) for one in choose(recipe, config, tokenizer, everything - set(left)).values()]


@pytest.mark.parametrize("name", ["addition", "countdown", "json-extraction"])
def test_a_run_is_asked_what_it_does_not_train_on(name: str) -> None:
    tokenizer, recipe = tiny_tokenizer(), get_recipe(name)
    config = make_config({"model": "tiny", "recipe": name, "prompt_tokens": 2000, "steps": 5})
    trained = {prompt_text(example) for example in choose_examples(recipe, config, tokenizer)}
    scorer = Scorer(Scoring(recipe.rewards), tokenizer, recipe.weights({}), config.steps)
    asked = Evaluation(recipe, config, tokenizer, scorer).asked
    assert len(asked) == PROMPTS
    assert not trained & {prompt_text(example) for example in asked}


def test_beside_four_bits_the_adapter_stays_in_fp32(tmp_path: Path) -> None:
    tiny_model("llama").save_pretrained(tmp_path / "tiny")
    config = make_config({"model": "tiny", "recipe": "addition", "gpu": "cpu", "quantization": "nf4", "rank": 8})
    policy = attach_adapter(load_base(str(tmp_path / "tiny"), config, CPU), config)
    fresh = {name: value.clone() for name, value in policy.named_parameters() if "lora_A" in name}
    steps, _ = train(tmp_path, policy=policy, steps=1, learning_rate=1e-12)
    assert steps[0].metrics["groups_updated"] == 3
    trained = dict(policy.named_parameters())
    for name, value in fresh.items():
        assert trained[name].dtype == torch.float32
        torch.testing.assert_close(trained[name], value, rtol=0, atol=1e-6)  # not rounded on the way
