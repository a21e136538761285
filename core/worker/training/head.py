"""Log-probabilities and entropies from hidden states, without ever holding all logits."""

import torch
from torch.utils.checkpoint import checkpoint

from core.budget.constants import CHUNK_TOKENS, CPU_CHUNK_TOKENS


def score_tokens(
    hidden: torch.Tensor, head: torch.nn.Module, targets: torch.Tensor, temperature: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """(logprobs, entropies), both (N,) in fp32, of `targets` (N,) under the states `hidden` (N, H).

    The logits of a chunk are computed again in the backward pass instead of being kept.
    """
    logprobs, entropies = [], []
    # Tokens whose logits exist at one time; the planner counts them.
    size = CPU_CHUNK_TOKENS if hidden.device.type == "cpu" else CHUNK_TOKENS
    for start in range(0, len(targets), size):
        end = start + size
        chunk = checkpoint(_score_chunk, hidden[start:end], head, targets[start:end], temperature, use_reentrant=False)
        logprobs.append(chunk[0])
        entropies.append(chunk[1])
    if not logprobs:
        empty = hidden.new_zeros(0, dtype=torch.float32)
        return empty, empty
    return torch.cat(logprobs), torch.cat(entropies)


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
