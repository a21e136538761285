"""Packed against padded through the real trainer, and the trial that decides between them."""

from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_support import PACKABLE, tiny_model, tiny_policy, tiny_tokenizer

from core.config import RunConfig, make_config
from core.tasks.registry import get_recipe
from core.worker.checks.packing_exact import try_packing
from core.worker.engines.transformers import TransformersEngine
from core.worker.loading.load import Loaded
from core.worker.objectives.trl_grpo import PolicyTrainer
from core.worker.rollouts.batch import Update
from core.worker.rollouts.examples import choose_examples
from core.worker.training import prepare_training

# Completion lengths of each group.
BATCHES = {
    "even": [[4, 4, 4], [4, 4, 4]],
    "ragged": [[5, 1, 9], [2, 5, 3]],
    "empty": [[0, 7, 2], [3, 0, 0]],
    "one-token": [[1, 1, 1], [1, 1, 1]],
}
PROMPTS = [6, 11]


def config(**values: Any) -> RunConfig:
    small = {"group_size": 3, "prompts_per_step": 2, "prompt_tokens": 20, "completion_tokens": 9, "rank": 8}
    return make_config({"model": "tiny", "recipe": "addition", **small, **values})


def make_trainer(policy: Any, folder: Path, packed: bool, **values: Any) -> PolicyTrainer:
    tokenizer, recipe = tiny_tokenizer(), get_recipe("addition")
    chosen = config(prompt_tokens=400, steps=1, **values)
    examples = choose_examples(recipe, chosen, tokenizer)
    loaded = Loaded(policy, tokenizer, TransformersEngine(tokenizer), "")
    trainer = prepare_training(loaded, chosen, recipe, examples, folder, lambda _: False, packed=packed).trainer
    trainer.accelerator.native_amp = False  # fp32 throughout, so that every difference shows
    trainer.current_gradient_accumulation_steps = 1
    policy.train()
    return trainer


def batch(lengths: list[list[int]], advantages: list[float]) -> dict[str, Any]:
    """Inputs of the loss as the trainer builds them: prompts padded on the left, completions on the right."""
    generator = torch.Generator().manual_seed(3)
    width, longest = max(map(max, lengths)), max(PROMPTS)
    prompt_rows, prompt_masks, rows, masks = [], [], [], []
    for prompt_length, group in zip(PROMPTS, lengths, strict=True):
        prompt = torch.randint(0, 256, (longest,), generator=generator)
        for length in group:
            prompt_rows.append(prompt)
            prompt_masks.append(torch.arange(longest) >= longest - prompt_length)
            rows.append(torch.randint(0, 256, (width,), generator=generator))
            masks.append(torch.arange(width) < length)
    mask = torch.stack(masks).long()
    return {
        "prompt_ids": torch.stack(prompt_rows),
        "prompt_mask": torch.stack(prompt_masks).long(),
        "completion_ids": torch.stack(rows),
        "completion_mask": mask,
        "advantages": torch.tensor(advantages),
        "num_items_in_batch": mask.sum().float(),
        "sampling_per_token_logps": -torch.rand(mask.shape, generator=generator) * 6,
    }


def measured(trainer: PolicyTrainer, policy: Any, inputs: dict[str, Any]) -> dict[str, torch.Tensor]:
    """Loss, logprobs and the gradient of every adapter matrix."""
    policy.zero_grad()
    ids = torch.cat([inputs["prompt_ids"], inputs["completion_ids"]], dim=1)
    mask = torch.cat([inputs["prompt_mask"], inputs["completion_mask"]], dim=1)
    width = inputs["completion_ids"].shape[1]
    logprobs, _, _ = trainer.score(policy, ids, mask, width)
    trainer.update = Update()
    loss = trainer.compute_loss(policy, dict(inputs))
    loss.backward()
    gradients = {name: p.grad for name, p in policy.named_parameters() if p.requires_grad}
    assert len(gradients) == 3 * 7 * 2
    return {
        "loss": loss.detach(),
        "logprobs": logprobs.detach() * inputs["completion_mask"],
        "ratio": trainer.update.metrics()["mismatch/ratio"],
        **{name: torch.zeros(()) if grad is None else grad.clone() for name, grad in gradients.items()},
    }


def relative(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    size = float(theirs.norm())
    return float((ours - theirs).norm()) / size if size else float(ours.norm())


@pytest.mark.parametrize("architecture", PACKABLE)
def test_packed_equals_padded_in_loss_logprobs_and_gradients(architecture: str, tmp_path: Path) -> None:
    policy = tiny_policy(architecture)
    trainers = {packed: make_trainer(policy, tmp_path / str(packed), packed) for packed in (True, False)}
    for lengths in BATCHES.values():
        inputs = batch(lengths, [0.9, -0.4, -0.5, 1.1, -0.2, -0.9])
        packed, padded = (measured(trainers[way], policy, inputs) for way in (True, False))
        assert packed.pop("ratio") == pytest.approx(padded.pop("ratio"), rel=1e-4)
        assert float(padded["loss"]) != 0.0
        for name in padded:
            assert relative(packed[name], padded[name]) < 1e-4, (architecture, name)


@pytest.mark.parametrize("architecture", PACKABLE)
def test_flat_groups_give_no_gradient_either_way(architecture: str, tmp_path: Path) -> None:
    policy = tiny_policy(architecture)
    everything, first_only = [0.0] * 6, [0.7, -0.2, -0.5, 0.0, 0.0, 0.0]
    for advantages in (everything, first_only):
        inputs = batch(BATCHES["ragged"], advantages)
        packed, padded = (
            measured(make_trainer(policy, tmp_path / str(way), way), policy, inputs) for way in (True, False)
        )
        for name in padded.keys() - {"ratio"}:
            assert relative(packed[name], padded[name]) < 1e-4, (architecture, name)
    assert (
        float(measured(make_trainer(policy, tmp_path, True), policy, batch(BATCHES["even"], everything))["loss"]) == 0
    )


@pytest.mark.parametrize("architecture", PACKABLE)
def test_the_trial_finds_packing_exact(architecture: str) -> None:
    exactness = try_packing(tiny_model(architecture), config())
    assert exactness.packed, exactness.reason


@pytest.mark.parametrize("architecture", ["gemma3_text", "mistral"])
def test_a_group_longer_than_the_window_is_packed_when_no_sequence_is(architecture: str) -> None:
    wide = config(group_size=8, prompt_tokens=20, completion_tokens=20)
    assert try_packing(tiny_model(architecture), wide).packed  # 20 + 20 tokens just fill the window of 40


@pytest.mark.parametrize("architecture", ["gemma3_text", "mistral"])
def test_a_sequence_longer_than_the_window_is_padded(architecture: str) -> None:
    exactness = try_packing(tiny_model(architecture), config(prompt_tokens=20, completion_tokens=21))
    assert not exactness.packed
    assert "window of 40 tokens is shorter than a sequence of 41" in exactness.reason


@pytest.mark.parametrize(
    ("architecture", "fields"),
    [
        ("mamba", {"state_size": 8, "num_hidden_layers": 2}),
        ("lfm2", {"layer_types": ["conv", "full_attention", "conv"]}),
        ("granite", {"logits_scaling": 4.0}),
        ("gemma2", {"final_logit_softcapping": 5.0, "head_dim": 16, "sliding_window": 40}),
        ("bloom", {"n_head": 4}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_models_that_cannot_be_packed_are_found_out(architecture: str, fields: dict[str, Any]) -> None:
    exactness = try_packing(tiny_model(architecture, **fields), config())
    assert not exactness.packed, exactness.reason
    assert exactness.reason.startswith("Groups are padded, not packed: ")


def test_a_model_that_ignores_mask_and_layout_is_found_out() -> None:
    model = tiny_model("llama")
    inner = model.base_model.forward
    model.base_model.forward = lambda attention_mask=None, grouper_layout=None, **kwargs: inner(**kwargs)
    exactness = try_packing(model, config())
    assert not exactness.packed
    assert "not exact" in exactness.reason


def test_a_model_that_drops_the_layout_is_packed_in_masked_rows() -> None:
    model = tiny_model("llama")
    inner = model.base_model.forward
    model.base_model.forward = lambda grouper_layout=None, **kwargs: inner(**kwargs)
    exactness = try_packing(model, config())
    assert exactness.reason.startswith("Groups are packed in masked rows: ")
    assert model.config._attn_implementation == "sdpa"


def test_in_bf16_rounding_is_not_taken_for_a_leak() -> None:
    for architecture in PACKABLE:
        exactness = try_packing(tiny_model(architecture).to(torch.bfloat16), config())
        assert exactness.packed, exactness.reason
