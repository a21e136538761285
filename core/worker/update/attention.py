"""Attention over groups laid end to end: no score is computed that a mask would throw away.

In a masked row of G completions of T tokens attention costs (G T)^2 scores, of which one in G counts. Here each prompt
and each completion is a sequence of its own, and a completion's keys are its prompt's and its own: G T (P + T) scores
and no mask over the row. A GPU's kernel is FlashAttention 2 (Dao, 2023) as torch carries it, which takes sequences of
different lengths and aligns queries and keys at their ends, so that a completion sees its whole prompt and what it said
before. A CPU has none such; see `attention_cpu`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface

from core.worker.update.attention_cpu import Bucket, attend_buckets, buckets_of
from core.worker.upstream.torch import Sequences, flash_backward, flash_forward
from core.worker.upstream.transformers import attention_of, sdpa_attention_forward, sdpa_mask

GROUPS = "grouper_groups"  # this attention's name among those of transformers
LAYOUT = "grouper_layout"  # the argument that carries a Layout through a model's forward to its attention


@dataclass(frozen=True)
class Layout:
    """The sequences in a row of N tokens: prompts and completions, one after the other.

    keys          (M,) place in the row of every key of every sequence: a completion's prompt comes before its own
    query_starts  (sequences + 1,) int32, where each sequence's queries begin, and N
    key_starts    (sequences + 1,) int32, where its keys begin among the M, and M
    most_queries, most_keys  of any sequence
    buckets        the same sequences as a CPU computes them; none on a GPU
    """

    keys: torch.Tensor
    query_starts: torch.Tensor
    key_starts: torch.Tensor
    most_queries: int
    most_keys: int
    buckets: tuple[Bucket, ...] = ()


def lay_out(groups: Sequence[tuple[int, Sequence[int]]], device: torch.device) -> Layout:
    """The layout of groups given as (prompt's length, completions' lengths). Empty completions have no sequence."""
    sequences: list[tuple[range, Sequence[int]]] = []
    start = 0
    for prompt, completions in groups:
        shared = range(start, start + prompt)
        for place, length in enumerate((prompt, *completions)):
            own = range(start, start + length)
            if length:
                sequences.append((own, own if place == 0 else (*shared, *own)))
            start += length

    def starts(lengths: Iterable[int]) -> torch.Tensor:
        return torch.tensor([0, *accumulate(lengths)], dtype=torch.int32, device=device)

    return Layout(
        torch.tensor([key for _, seen in sequences for key in seen], device=device),
        starts(len(own) for own, _ in sequences),
        starts(len(seen) for _, seen in sequences),
        max(len(own) for own, _ in sequences),
        max(len(seen) for _, seen in sequences),
        buckets_of(sequences, start) if device.type == "cpu" else (),
    )


class _FlashGroups(torch.autograd.Function):
    """Keeps keys and values as the layer made them; the prompts' copies exist while the kernel runs."""

    @staticmethod
    def forward(
        ctx: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, layout: Layout, scale: float
    ) -> torch.Tensor:
        output, kept = flash_forward(query, key[layout.keys], value[layout.keys], _sequences(layout), scale)
        ctx.save_for_backward(query, key, value, *kept)
        ctx.layout, ctx.scale = layout, scale
        return output

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        query, key, value, *kept = ctx.saved_tensors
        keys, sequences = ctx.layout.keys, _sequences(ctx.layout)
        of_query, of_keys, of_values = flash_backward(
            gradients[0].contiguous(), query, key[keys], value[keys], tuple(kept), sequences, ctx.scale
        )
        return of_query, _collect(of_keys, keys, key), _collect(of_values, keys, value), None, None


attend_sequences: Any = _FlashGroups.apply


def _sequences(layout: Layout) -> Sequences:
    return layout.query_starts, layout.key_starts, layout.most_queries, layout.most_keys


def _collect(copies: torch.Tensor, keys: torch.Tensor, original: torch.Tensor) -> torch.Tensor:
    """The sum of each key's gradients over the sequences that saw it, added up in fp32."""
    total = torch.zeros_like(original, dtype=torch.float32)
    return total.index_add_(0, keys, copies.float()).to(original.dtype)


def attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """transformers' attention function: query (1, heads, N, D) and its keys and values to (1, N, heads, D).

    A forward pass without a layout goes to torch's scaled_dot_product_attention and its masks, as it would have.
    """
    layout: Layout | None = options.pop(LAYOUT, None)
    if layout is None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, scaling=scaling, **options)
    device, dtype = query.device.type, query.dtype
    if torch.is_autocast_enabled(device):
        dtype = torch.get_autocast_dtype(device)
    rows = [each[0].transpose(0, 1).to(dtype) for each in (query, key, value)]  # (N, heads, D)
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    attended = (
        attend_buckets(*rows, layout.buckets, scale) if layout.buckets else attend_sequences(*rows, layout, scale)
    )
    return attended.unsqueeze(0), None


def follows_layouts(base: Any) -> bool:
    """Whether this model's attention is the one here."""
    return attention_of(base) == GROUPS


AttentionInterface.register(GROUPS, attend)
AttentionMaskInterface.register(GROUPS, sdpa_mask)
