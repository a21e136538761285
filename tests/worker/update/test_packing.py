"""Packed groups give what padded rows give."""

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from core.worker.update.head import score_tokens
from core.worker.update.logprobs import compare, score_batch
from core.worker.update.packing import PackedGroup, pack, packs, split_groups


@pytest.fixture(scope="module")
def model() -> torch.nn.Module:
    torch.manual_seed(0)
    config = AutoConfig.for_model(
        "llama",
        vocab_size=97,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
    )
    return AutoModelForCausalLM.from_config(config, attn_implementation="sdpa").float()


def batch(lengths: list[list[int]], prompt_lengths: list[int]) -> tuple[torch.Tensor, torch.Tensor, int]:
    """Rows as TRL builds them: prompts padded on the left, completions on the right."""
    generator = torch.Generator().manual_seed(1)
    width, longest = max(map(max, lengths)), max(prompt_lengths)
    rows, masks = [], []
    for prompt_length, completions in zip(prompt_lengths, lengths, strict=True):
        prompt = torch.randint(3, 97, (longest,), generator=generator)
        for length in completions:
            rows.append(torch.cat([prompt, torch.randint(3, 97, (width,), generator=generator)]))
            masks.append(torch.cat([torch.arange(longest) >= longest - prompt_length, torch.arange(width) < length]))
    return torch.stack(rows), torch.stack(masks).long(), width


def padded(model: torch.nn.Module, ids: torch.Tensor, mask: torch.Tensor, width: int) -> torch.Tensor:
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    states = model.model(input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=False).last_hidden_state
    kept = mask[:, -width:].bool()
    scored, _ = score_tokens(states[:, -width - 1 : -1][kept], model.lm_head, ids[:, -width:][kept], 1.0)
    return scored.new_zeros(kept.shape).masked_scatter(kept, scored)


@pytest.mark.parametrize(
    "lengths", [[[4, 4], [4, 4]], [[5, 1, 3], [2, 5, 0]], [[1, 1], [1, 1]], [[0, 7], [3, 0]]], ids=str
)
def test_packed_equals_padded(model: torch.nn.Module, lengths: list[list[int]]) -> None:
    ids, mask, width = batch(lengths, [6, 9])
    packed = score_batch(model, ids, mask, width, 1.0).logprobs
    reference = padded(model, ids, mask, width)
    assert torch.allclose(packed, reference, atol=2e-5)
    weights = torch.randn(packed.shape, generator=torch.Generator().manual_seed(2))
    gradients = [
        torch.autograd.grad((values * weights).sum(), list(model.parameters()), allow_unused=True)
        for values in (packed, reference)
    ]
    for ours, theirs in zip(*gradients, strict=True):
        assert (ours is None) == (theirs is None)
        if ours is not None:
            assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_groups_without_advantage_are_left_out(model: torch.nn.Module) -> None:
    ids, mask, width = batch([[3, 4], [5, 2]], [6, 6])
    everything = score_batch(model, ids, mask, width, 1.0)
    needed = torch.tensor([False, False, True, False])
    some = score_batch(model, ids, mask, width, 1.0, needed)
    assert torch.equal(some.kept.any(dim=1), torch.tensor([False, False, True, True]))
    assert torch.allclose(some.logprobs[2:], everything.logprobs[2:], atol=1e-6)
    assert some.logprobs.requires_grad
    none = score_batch(model, ids, mask, width, 1.0, torch.zeros(4, dtype=torch.bool))
    assert not none.logprobs.requires_grad
    assert none.kept[:2].any()


def test_budget_splits_packs_without_changing_anything() -> None:
    groups = [PackedGroup(torch.arange(5), (torch.arange(n), torch.arange(3))) for n in (2, 4, 1)]
    assert [len(part.input_ids) for part in packs(groups, 1, pack)] == [1, 1, 1]
    assert [len(part.input_ids) for part in packs(groups, 10_000, pack)] == [3]
    whole = pack(groups)
    assert torch.equal(whole.targets, torch.cat([part.targets for part in packs(groups, 1, pack)]))


def test_positions_and_sight() -> None:
    only = pack([PackedGroup(torch.tensor([7, 8]), (torch.tensor([1, 2]), torch.tensor([3])))])
    assert only.position_ids.tolist() == [[0, 1, 2, 3, 2]]
    assert only.sources.tolist() == [1, 2, 1]
    assert only.attention_mask[0, 0].int().tolist() == [
        [1, 0, 0, 0, 0],
        [1, 1, 0, 0, 0],
        [1, 1, 1, 0, 0],
        [1, 1, 1, 1, 0],
        [1, 1, 0, 0, 1],
    ]


def test_same_prompt_twice_in_a_row_is_one_group() -> None:
    ids, mask, width = batch([[2, 2], [2, 2]], [3, 3])
    ids[2:, :3] = ids[0, :3]
    assert [len(group.completions) for group in split_groups(ids, mask, width)] == [4]


def test_mismatch_of_equal_logprobs_is_zero(model: torch.nn.Module) -> None:
    ids, mask, width = batch([[3, 4]], [6])
    scored = score_batch(model, ids, mask, width, 1.0)
    same = compare(scored, scored.logprobs.detach())
    assert same.metrics()["mismatch/mean"] == 0.0
    assert torch.equal(same.ratio, torch.ones_like(same.ratio))
    unknown = compare(scored, torch.full_like(scored.logprobs, float("nan")))
    assert unknown.metrics() == {}
    assert torch.equal(unknown.ratio, torch.ones_like(unknown.ratio))
