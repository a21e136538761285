"""A scored batch in the form that TRL's loss takes."""

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.utils.rnn import pad_sequence

from core.worker.rollouts.batch import StepBatch
from core.worker.upstream.trl import SAMPLED


def loss_inputs(batch: StepBatch, pad: int, device: torch.device) -> dict[str, Any]:
    """Prompts (B, P) padded on the left; completions and the engine's logprobs (B, T) on the right; advantages (B,)."""
    prompts = [torch.tensor(prompt) for _, prompt, rows in batch.groups() for _ in rows]
    completions = [torch.tensor(sample.token_ids, dtype=torch.long) for sample in batch.samples]
    logprobs = [torch.tensor(sample.logprobs) for sample in batch.samples]
    inputs = {
        "prompt_ids": _padded(prompts, pad, "left"),
        "prompt_mask": _padded([torch.ones_like(each) for each in prompts], 0, "left"),
        "completion_ids": _padded(completions, pad, "right"),
        "completion_mask": _padded([torch.ones_like(each) for each in completions], 0, "right"),
        "advantages": torch.tensor(batch.advantages),
        "num_items_in_batch": torch.tensor(sum(map(len, completions))),
        SAMPLED: _padded(logprobs, 0.0, "right"),
    }
    return {name: value.to(device) for name, value in inputs.items()}


def _padded(rows: Sequence[torch.Tensor], value: float, side: str) -> torch.Tensor:
    return pad_sequence([*rows], batch_first=True, padding_value=value, padding_side=side)
