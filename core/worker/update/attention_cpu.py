"""Attention over groups laid end to end, for CPUs: batched matrix products over sequences of about one length.

torch's own attention for CPUs takes masked rows, which cost the square of a group's length. Here sequences whose
lengths have as many binary digits are a bucket, padded on the left so that queries and keys end together, and
everything is computed in fp32. On two cores, the built-in model, forward and backward pass of 32 completions: of 9
tokens 0.64 seconds instead of 0.70, of 64 tokens 2.8 instead of 4.2.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

# Scores of a bucket and a head at one time; more sequences than fit are several buckets.
MOST_SCORES = 2**20


@dataclass(frozen=True)
class Bucket:
    """S sequences padded to Tq queries and Tk keys.

    queries, keys  (S, Tq) and (S, Tk), places in a row of N tokens; N is padding
    hidden         (S, 1, Tq, Tk), minus infinity where a query may not see a key. Padded queries see everything: their
                   softmax stays finite, and nothing is made of it
    """

    queries: torch.Tensor
    keys: torch.Tensor
    hidden: torch.Tensor


def buckets_of(
    sequences: Sequence[tuple[range, Sequence[int]]], tokens: int, most_scores: int = MOST_SCORES
) -> tuple[Bucket, ...]:
    """Sequences as (places of its queries, places of its keys) in a row of N = `tokens`."""
    alike: dict[tuple[int, bool], list[tuple[range, Sequence[int]]]] = defaultdict(list)
    for own, seen in sequences:
        alike[len(own).bit_length(), len(own) == len(seen)].append((own, seen))
    made = []
    for members in alike.values():
        widest = max(len(own) for own, _ in members) * max(len(seen) for _, seen in members)
        size = max(1, most_scores // widest)
        made += [_bucket(members[start : start + size], tokens) for start in range(0, len(members), size)]
    return tuple(made)


def _bucket(members: Sequence[tuple[range, Sequence[int]]], tokens: int) -> Bucket:
    queries, keys = (_padded([member[part] for member in members], tokens) for part in (0, 1))
    most_queries, most_keys = queries.shape[1], keys.shape[1]
    future = torch.ones(most_queries, most_keys, dtype=torch.bool).triu(most_keys - most_queries + 1)
    unseen = (future | (keys == tokens).unsqueeze(1)) & (queries != tokens).unsqueeze(2)
    hidden = torch.zeros(unseen.shape).masked_fill_(unseen, float("-inf"))
    return Bucket(queries, keys, hidden.unsqueeze(1))


def _padded(rows: Sequence[Sequence[int]], padding: int) -> torch.Tensor:
    longest = max(map(len, rows))
    return torch.tensor([[padding] * (longest - len(row)) + [*row] for row in rows])


class _GroupAttention(torch.autograd.Function):
    """Keeps the layer's queries, keys, values and output; the softmax is computed again in the backward pass."""

    @staticmethod
    def forward(
        ctx: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, buckets: Sequence[Bucket], scale: float
    ) -> torch.Tensor:
        with torch.autocast("cpu", enabled=False):
            q, k, v = map(_with_padding, (query, key, value))
            output = torch.empty_like(q)
            for bucket in buckets:
                share = _share(_fold(q, bucket.queries, key), _fold(k, bucket.keys, key), bucket, scale)
                _unfold(output, bucket.queries, torch.bmm(share, _fold(v, bucket.keys, key)))
            output = output[:-1].to(query.dtype)
        ctx.save_for_backward(query, key, value, output)
        ctx.buckets, ctx.scale = buckets, scale
        return output

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        query, key, value, output = ctx.saved_tensors
        with torch.autocast("cpu", enabled=False):
            q, k, v, coming, made = map(_with_padding, (query, key, value, gradients[0], output))
            of_q, of_k, of_v = torch.empty_like(q), torch.zeros_like(k), torch.zeros_like(v)
            inner = (coming * made).sum(-1, keepdim=True)  # of each query's softmax and its gradient
            for bucket in ctx.buckets:
                queries, keys, values, grad = (
                    _fold(rows, places, key)
                    for rows, places in (
                        (q, bucket.queries),
                        (k, bucket.keys),
                        (v, bucket.keys),
                        (coming, bucket.queries),
                    )
                )
                share = _share(queries, keys, bucket, ctx.scale)
                _add(of_v, bucket.keys, torch.bmm(share.transpose(1, 2), grad))
                slope = torch.bmm(grad, values.transpose(1, 2)).sub_(_fold(inner, bucket.queries, key))
                slope.mul_(share).mul_(ctx.scale)
                _unfold(of_q, bucket.queries, torch.bmm(slope, keys))
                _add(of_k, bucket.keys, torch.bmm(slope.transpose(1, 2), queries))
        found = (rows[:-1].to(like.dtype) for rows, like in ((of_q, query), (of_k, key), (of_v, value)))
        return *found, None, None


attend_buckets: Any = _GroupAttention.apply


def _with_padding(rows: torch.Tensor) -> torch.Tensor:
    """(N, heads, D) in fp32 with a row of zeros behind it."""
    return torch.cat([rows.float(), torch.zeros(1, *rows.shape[1:])])


def _fold(rows: torch.Tensor, places: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
    """(S x key heads, rows, D): the queries of the heads that share a key head lie under each other."""
    sequences, length = places.shape
    taken = rows.index_select(0, places.flatten()).view(sequences, length, key.shape[1], -1, rows.shape[2])
    return taken.permute(0, 2, 3, 1, 4).reshape(sequences * key.shape[1], -1, rows.shape[2])


def _rows(folded: torch.Tensor, places: torch.Tensor, heads: int) -> torch.Tensor:
    """What `_fold` made, as (S x length, heads, D) again."""
    sequences, length = places.shape
    key_heads, depth = len(folded) // sequences, folded.shape[2]
    parts = folded.view(sequences, key_heads, heads // key_heads, length, depth)
    return parts.permute(0, 3, 1, 2, 4).reshape(sequences * length, heads, depth)


def _unfold(target: torch.Tensor, places: torch.Tensor, folded: torch.Tensor) -> None:
    target.index_copy_(0, places.flatten(), _rows(folded, places, target.shape[1]))


def _add(target: torch.Tensor, places: torch.Tensor, folded: torch.Tensor) -> None:
    target.index_add_(0, places.flatten(), _rows(folded, places, target.shape[1]))


def _share(queries: torch.Tensor, keys: torch.Tensor, bucket: Bucket, scale: float) -> torch.Tensor:
    """(S x key heads, queries, keys): the softmax of the scores."""
    scores = torch.bmm(queries, keys.transpose(1, 2)).mul_(scale)
    sequences, _, length, seen = bucket.hidden.shape
    scores.view(sequences, -1, length, seen).add_(bucket.hidden)
    return scores.softmax(-1)
