"""Groups laid end to end give what masked rows give. The GPU's kernel is stood in for by its definition."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from core.config import make_config
from core.worker.checks.packing_exact import try_packing
from core.worker.update.attention import GROUPS, attend_sequences, lay_out
from core.worker.update.attention_cpu import attend_buckets, buckets_of
from core.worker.update.logprobs import score_batch
from core.worker.update.packing import PackedGroup, lay, pack

SIZES = {
    "vocab_size": 97, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 256,
}  # fmt: skip
LENGTHS = [[[4, 4], [4, 4]], [[5, 1, 3], [2, 5, 0]], [[0, 7], [3, 0]]]


def sequences(starts: Any, key_starts: Any) -> Iterator[tuple[slice, slice]]:
    """Each sequence's queries and its keys."""
    for place in range(len(starts) - 1):
        yield slice(starts[place], starts[place + 1]), slice(key_starts[place], key_starts[place + 1])


def shares(query: torch.Tensor, key: torch.Tensor, scale: float) -> tuple[torch.Tensor, torch.Tensor]:
    """(keys for every query head, softmax), causal and aligned at the ends: (heads, keys, D) and (heads, T, keys)."""
    wide = key.transpose(0, 1).repeat_interleave(query.shape[1] // key.shape[1], 0)
    scores = query.transpose(0, 1) @ wide.transpose(1, 2) * scale
    seen = torch.ones(scores.shape[1:], dtype=torch.bool).tril(len(key) - len(query))
    return wide, scores.masked_fill(~seen, float("-inf")).softmax(-1)


def forward(query: Any, key: Any, value: Any, starts: Any, key_starts: Any, *rest: Any, scale: float) -> Any:
    assert (query.ndim, rest[3]) == (3, True)  # rows, and causal
    output, empty = torch.empty_like(query), query.new_zeros(0)
    for own, seen in sequences(starts, key_starts):
        _, share = shares(query[own], key[seen], scale)
        wide = value[seen].transpose(0, 1).repeat_interleave(query.shape[1] // value.shape[1], 0)
        output[own] = (share @ wide).transpose(0, 1)
    return output, empty, empty, empty, empty


def backward(
    grad: Any, query: Any, key: Any, value: Any, output: Any, normalizer: Any, *rest: Any, scale: float
) -> Any:
    """The softmax's own gradient written out; heads that share keys add theirs up."""
    found = [torch.empty_like(one) for one in (query, key, value)]
    for own, seen in sequences(*rest[:2]):
        wide, share = shares(query[own], key[seen], scale)
        fold = (key.shape[1], -1, len(key[seen]), key.shape[2])
        wide_value = value[seen].transpose(0, 1).repeat_interleave(query.shape[1] // value.shape[1], 0)
        coming = grad[own].transpose(0, 1)
        of_share = coming @ wide_value.transpose(1, 2)
        of_scores = share * (of_share - (of_share * share).sum(-1, keepdim=True)) * scale
        found[0][own] = (of_scores @ wide).transpose(0, 1)
        found[1][seen] = (of_scores.transpose(1, 2) @ query[own].transpose(0, 1)).view(fold).sum(1).transpose(0, 1)
        found[2][seen] = (share.transpose(1, 2) @ coming).view(fold).sum(1).transpose(0, 1)
    return tuple(found)


@pytest.fixture(scope="module", autouse=True)
def kernel() -> Iterator[None]:
    library = torch.library.Library("aten", "IMPL")
    library.impl("_flash_attention_forward", forward, "CPU")
    library.impl("_flash_attention_backward", backward, "CPU")
    yield
    library._destroy()


def model_of(kind: str, attention: str) -> Any:
    torch.manual_seed(0)
    config = AutoConfig.for_model(kind, **SIZES)
    return AutoModelForCausalLM.from_config(config, attn_implementation=attention).float()


def batch(lengths: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor, int]:
    generator, width = torch.Generator().manual_seed(1), max(map(max, lengths))
    rows, masks = [], []
    for number, completions in enumerate(lengths):
        prompt = torch.randint(3, 97, (9,), generator=generator)
        for length in completions:
            rows.append(torch.cat([prompt, torch.randint(3, 97, (width,), generator=generator)]))
            masks.append(torch.cat([torch.arange(9) >= 2 * number, torch.arange(width) < length]))
    return torch.stack(rows), torch.stack(masks).long(), width


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
@pytest.mark.parametrize("kind", ["llama", "qwen2", "qwen3"])
@pytest.mark.parametrize("recomputed", [False, True])
def test_end_to_end_equals_masked(kind: str, lengths: list[list[int]], recomputed: bool) -> None:
    ids, mask, width = batch(lengths)
    both = []
    for attention in (GROUPS, "sdpa"):
        model = model_of(kind, attention).train()
        if recomputed:
            model.gradient_checkpointing_enable({"use_reentrant": False})
        scored = score_batch(model, ids, mask, width, 1.0)
        weights = torch.randn(scored.logprobs.shape, generator=torch.Generator().manual_seed(2))
        gradients = torch.autograd.grad((scored.logprobs * weights).sum(), list(model.parameters()), allow_unused=True)
        both.append((scored.logprobs, *gradients))
    for laid, masked in zip(*both, strict=True):
        assert (laid is None) == (masked is None)
        if laid is not None:
            torch.testing.assert_close(laid, masked, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("groups", [[(5, [3, 0, 9]), (2, [1, 1])], [(1, [1])], [(7, [16, 15, 2]), (7, [16, 16, 16])]])
@pytest.mark.parametrize("most_scores", [1, 2**20])
def test_both_kernels_agree(groups: list[tuple[int, list[int]]], most_scores: int) -> None:
    layout = lay_out(groups, torch.device("cpu"))
    tokens = sum(prompt + sum(lengths) for prompt, lengths in groups)
    torch.manual_seed(0)
    rows = [torch.randn(tokens, heads, 8, requires_grad=True) for heads in (4, 2, 2)]
    grad = torch.randn(tokens, 4, 8)
    ends = zip(
        layout.query_starts[1:].tolist(), layout.key_starts.tolist(), layout.key_starts[1:].tolist(), strict=False
    )
    starts = layout.query_starts.tolist()
    sequences = [
        (range(start, end), layout.keys[first:last].tolist())
        for start, (end, first, last) in zip(starts, ends, strict=False)
    ]
    buckets = buckets_of(sequences, tokens, most_scores)
    assert len(buckets) == len(layout.buckets) if most_scores > 1 else len(sequences)
    laid, blocked = attend_sequences(*rows, layout, 0.3), attend_buckets(*rows, buckets, 0.3)
    torch.testing.assert_close(laid, blocked)
    for ours, theirs in zip(*(torch.autograd.grad(out, rows, grad) for out in (laid, blocked)), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_a_layout_gives_completions_their_prompt() -> None:
    layout = lay_out([(2, [2, 0, 1]), (1, [1])], torch.device("cpu"))
    assert layout.keys.tolist() == [0, 1, 0, 1, 2, 3, 0, 1, 4, 5, 5, 6]
    assert layout.query_starts.tolist() == [0, 2, 4, 5, 6, 7]
    assert layout.key_starts.tolist() == [0, 2, 6, 9, 10, 12]
    assert (layout.most_queries, layout.most_keys) == (2, 4)


def test_both_packers_name_the_same_tokens() -> None:
    groups = [PackedGroup(torch.tensor([7, 8]), (torch.tensor([1, 2]), torch.tensor([], dtype=torch.long)))]
    laid, masked = lay(groups), pack(groups)
    assert torch.equal(laid.input_ids, masked.input_ids)
    assert torch.equal(laid.position_ids, masked.position_ids)
    assert torch.equal(laid.sources, masked.sources)
    assert torch.equal(laid.targets, masked.targets)


@pytest.mark.parametrize("kind", ["llama", "qwen2", "qwen3"])
def test_the_trial_finds_it_exact(kind: str) -> None:
    exactness = try_packing(model_of(kind, GROUPS), make_config({"model": "tiny", "recipe": "addition"}))
    assert exactness.packed
    assert exactness.reason.startswith("Groups are packed end to end: ")


def test_without_a_layout_the_model_is_as_it_was() -> None:
    ids, mask, _ = batch([[4, 2]])
    ours, theirs = (model_of("llama", name)(input_ids=ids, attention_mask=mask).logits for name in (GROUPS, "sdpa"))
    torch.testing.assert_close(ours[mask.bool()], theirs[mask.bool()])


def test_without_a_layout_it_generates_as_before() -> None:
    ids, mask = torch.tensor([[0, 0, 5, 9], [7, 3, 8, 4]]), torch.tensor([[0, 0, 1, 1], [1, 1, 1, 1]])
    ours, theirs = (
        model_of("qwen2", name).eval().generate(
            input_ids=ids, attention_mask=mask, do_sample=False, max_new_tokens=12, pad_token_id=0, eos_token_id=None
        )
        for name in (GROUPS, "sdpa")
    )  # fmt: skip
    assert torch.equal(ours, theirs)
