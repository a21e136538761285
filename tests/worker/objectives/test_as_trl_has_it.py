"""Inputs of the loss, advantages and metrics of a step are what TRL itself makes of the same samples, to the bit."""

from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_support import tiny_policy, tiny_tokenizer
from trl import GRPOTrainer

from core.config import make_config
from core.records.rollout import RewardScore
from core.tasks.registry import get_recipe
from core.worker.engines.engine import Sample
from core.worker.objectives.trl_arguments import grpo_arguments
from core.worker.objectives.trl_grpo import PolicyTrainer
from core.worker.objectives.trl_inputs import loss_inputs
from core.worker.rollouts.advantages import with_advantages
from core.worker.rollouts.batch import StepBatch
from core.worker.rollouts.examples import as_dataset, choose_examples, prompt_token_ids

GROUP, PROMPTS = 4, 3
WEIGHTS = {"first": 0.7, "second": -0.2}
# What PolicyTrainer overrides of TRL's, all of it public, and what it keeps in itself: no name may meet one of TRL's.
OVERRIDDEN = {"create_scheduler", "compute_loss", "log"}
OWN = {
    "_config",
    "_story",
    "_packed",
    "_done",
    "_kept",
    "_random",
    "_examples",
    "_running",
    "_micro_batches",
    "_in_loss",
    "update",
}
# (first, second) of each completion: plain, one function without a score, a flat group, a completion nobody scored.
SCORES = (
    (1.0, 0.25), (0.1, 0.5), (0.3, 0.0), (0.0, 1.0),
    (0.7, None), (None, 0.2), (0.4, 0.1), (None, None),
    (0.5, 0.5), (0.5, 0.5), (0.5, 0.5), (0.5, 0.5),
)  # fmt: skip


class Sampled:
    """Stands where TRL has its vLLM, with completions of its own."""

    def __init__(self, samples: list[Sample]) -> None:
        self.samples = samples

    def sync_weights(self) -> None: ...

    def generate(self, prompts: list[list[int]], **_: Any) -> Any:
        logprobs = [[[value] for value in sample.logprobs] for sample in self.samples]
        return prompts, [list(sample.token_ids) for sample in self.samples], logprobs, None


def samples(eos: int) -> list[Sample]:
    """Completions of many lengths; every third is cut, the others end."""
    found = []
    for row in range(GROUP * PROMPTS):
        ids = tuple(range(65, 66 + row)) + ((eos,) if row % 3 else ())
        logprobs = tuple(-0.1 * (place + 1) for place in range(len(ids)))
        found.append(Sample(ids, logprobs, "stop" if row % 3 else "length"))
    return found


@pytest.mark.parametrize("scale", ["group", "batch", "none"])
def test_a_step_is_what_trl_makes_of_it(tmp_path: Path, scale: str) -> None:
    small = {"group_size": GROUP, "prompts_per_step": PROMPTS, "prompt_tokens": 400, "completion_tokens": 20, "rank": 8}
    config = make_config({"model": "tiny", "recipe": "addition", "steps": 1, "scale_rewards": scale, **small})
    tokenizer, recipe = tiny_tokenizer(), get_recipe("addition")
    examples = choose_examples(recipe, config, tokenizer)
    drawn = samples(tokenizer.eos_token_id)

    def first(completions: list[Any], **_: Any) -> list[float | None]:
        return [one for one, _ in SCORES]

    def second(completions: list[Any], **_: Any) -> list[float | None]:
        return [two for _, two in SCORES]

    arguments = grpo_arguments(config, tmp_path, torch.device("cpu"))
    arguments.scale_rewards, arguments.reward_weights = scale, [*WEIGHTS.values()]
    trainer = GRPOTrainer(
        model=tiny_policy("llama"),
        reward_funcs=[first, second],
        args=arguments,
        train_dataset=as_dataset(examples),
        processing_class=tokenizer,
    )
    ours = vars(PolicyTrainer).keys() | OWN
    assert {name for name in ours if hasattr(trainer, name) and not name.startswith("__")} == OVERRIDDEN
    trainer.vllm_generation, trainer.use_vllm, trainer._last_loaded_step = Sampled(drawn), True, -1
    trainer.vllm_importance_sampling_correction = False
    rows = [{"prompt": list(example.prompt), "example": 0} for example in examples[:PROMPTS] for _ in range(GROUP)]
    theirs = trainer._generate_and_score_completions(rows)
    their_metrics = {name: values[0] for name, values in trainer._metrics["train"].items()}

    scores = tuple((RewardScore("first", one), RewardScore("second", two)) for one, two in SCORES)
    prompts = tuple(tuple(prompt_token_ids(example, tokenizer)) for example in examples[:PROMPTS])
    batch = StepBatch(tuple(examples[:PROMPTS]), prompts, tuple(drawn), scores=scores)
    batch = with_advantages(batch, WEIGHTS, config.scale_rewards)
    ours = loss_inputs(batch, tokenizer.pad_token_id, torch.device("cpu"))

    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        assert torch.equal(ours[name], value), name
        assert ours[name].dtype == value.dtype, name
    assert any(batch.advantages)
    del their_metrics["num_tokens"]
    assert batch.metrics == pytest.approx(their_metrics, rel=0, abs=0, nan_ok=True)
