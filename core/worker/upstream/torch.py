"""torch's own FlashAttention 2 over sequences of different lengths, whose queries and keys may differ in number."""

from typing import Any

import torch

# (query_starts, key_starts, most_queries, most_keys), see `core.worker.update.attention.Layout`.
Sequences = tuple[torch.Tensor, torch.Tensor, int, int]


def flash_forward(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, sequences: Sequences, scale: float
) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
    """query (N, heads, D), key and value (M, heads, D) -> attended (N, heads, D), and what the backward pass needs.

    Causal, aligned at the ends: the last query of a sequence sees all of its keys.
    """
    output, normalizer, state, unused, _ = torch.ops.aten._flash_attention_forward(
        query, key, value, *sequences, 0.0, True, False, scale=scale
    )
    return output, (output, normalizer, state, unused)


def flash_backward(
    gradient: torch.Tensor,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    kept: tuple[torch.Tensor, ...],
    sequences: Sequences,
    scale: float,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The gradients of query, key and value; `kept` is what `flash_forward` gave."""
    output, normalizer, state, unused = kept
    gradients: Any = torch.ops.aten._flash_attention_backward(
        gradient, query, key, value, output, normalizer, *sequences, 0.0, True, state, unused, scale=scale
    )
    of_query, of_key, of_value = gradients
    return of_query, of_key, of_value
