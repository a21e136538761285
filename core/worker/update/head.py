"""Log-probabilities and entropies from hidden states, without ever holding all logits."""

from typing import Any

import torch
from torch.utils.checkpoint import checkpoint

from core.planner.constants import CHUNK_TOKENS, CPU_CHUNK_TOKENS


def score_tokens(
    hidden: torch.Tensor, head: torch.nn.Module, targets: torch.Tensor, temperature: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """(logprobs, entropies), both (N,) in fp32, of `targets` (N,) under the states `hidden` (N, H).

    Only logprobs have a gradient. A head that is not trained gives it with one product more in the forward pass; from
    any other head a chunk's logits are computed again in the backward pass instead of being kept.
    """
    logprobs, entropies = [], []
    # Tokens whose logits exist at one time; the planner counts them.
    size = CPU_CHUNK_TOKENS if hidden.device.type == "cpu" else CHUNK_TOKENS
    for start in range(0, len(targets), size):
        states, words = hidden[start : start + size], targets[start : start + size]
        if _is_frozen(head):
            chunk = score_frozen(states, head.weight, words, temperature)
        else:
            chunk = checkpoint(_score_chunk, states, head, words, temperature, use_reentrant=False)
        logprobs.append(chunk[0])
        entropies.append(chunk[1])
    if not logprobs:
        empty = hidden.new_zeros(0, dtype=torch.float32)
        return empty, empty
    return torch.cat(logprobs), torch.cat(entropies)


def _is_frozen(head: torch.nn.Module) -> bool:
    return type(head) is torch.nn.Linear and getattr(head, "bias", None) is None and not head.weight.requires_grad


class _FrozenHead(torch.autograd.Function):
    """The slope of each logprob is known once its probabilities are: d log p_t / d h = W^T (1_t - p) / temperature."""

    @staticmethod
    def forward(
        ctx: Any, states: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor, temperature: float
    ) -> tuple[torch.Tensor, torch.Tensor]:
        logits = torch.nn.functional.linear(states, weight).float().div_(temperature)  # (n, V)
        every = logits.sub_(logits.logsumexp(dim=-1, keepdim=True))  # log p
        logprobs = every.gather(1, targets.unsqueeze(1)).squeeze(1)
        probabilities = every.exp()
        entropies = -every.mul_(probabilities).sum(dim=-1)
        if ctx.needs_input_grad[0]:
            # Minus one in fp32, before the product rounds: 1 - p of a token that was nearly sure is small.
            probabilities.scatter_add_(1, targets.unsqueeze(1), -torch.ones_like(logprobs).unsqueeze(1))
            slope = torch.nn.functional.linear(probabilities, weight.t())  # (n, H)
            ctx.save_for_backward(slope.to(states.dtype).div_(-temperature))
        ctx.mark_non_differentiable(entropies)
        return logprobs, entropies

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (slope,) = ctx.saved_tensors
        return (gradients[0].unsqueeze(1) * slope).to(slope.dtype), None, None, None


score_frozen: Any = _FrozenHead.apply


def _score_chunk(
    hidden: torch.Tensor, head: torch.nn.Module, targets: torch.Tensor, temperature: float
) -> tuple[torch.Tensor, torch.Tensor]:
    logits = head(hidden).float() / temperature  # (n, V)
    normalizer = logits.logsumexp(dim=-1)  # (n,)
    logprobs = logits.gather(1, targets.unsqueeze(1)).squeeze(1) - normalizer
    with torch.no_grad():
        # H = log Z - E[logit]
        entropies = normalizer - (torch.exp(logits - normalizer.unsqueeze(1)) * logits).sum(dim=-1)
    return logprobs, entropies
