"""How much better than the rest of its group each completion is, and what a step's rewards were.

The arithmetic is TRL's (`GRPOTrainer`, `sum_then_normalize`) in the same order and in fp32, so that a run gives the
same bytes whichever computes it; `core.tasks.advantages` has the formula for readers without torch.
"""

import math
from collections.abc import Mapping
from dataclasses import replace

import torch

from core.tasks.advantages import EPSILON, Scale
from core.worker.rollouts.batch import StepBatch


def with_advantages(batch: StepBatch, weights: Mapping[str, float], scale: Scale) -> StepBatch:
    """The batch with advantages, and with metrics of its scores, rewards and lengths."""
    functions = [*weights]
    scores = torch.tensor([[_number(score.value) for score in row] for row in batch.scores], dtype=torch.float32).view(
        len(batch.scores), len(functions)
    )  # (B, F)
    rewards = weighted_rewards(scores, torch.tensor([*weights.values()], dtype=torch.float32))
    advantages, spreads = group_advantages(rewards, batch.group_size, scale)
    metrics = {
        **batch.logged,
        **_score_metrics(scores, functions),
        **_reward_metrics(rewards, spreads),
        **_length_metrics(batch),
    }
    return replace(batch, advantages=tuple(advantages.tolist()), metrics=metrics)


def weighted_rewards(scores: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """(B, F) scores and (F,) weights -> (B,) rewards; NaN is no score, and a row of them no reward."""
    rewards = (scores * weights.unsqueeze(0)).nansum(dim=1)
    rewards[scores.isnan().all(dim=1)] = torch.nan
    return rewards


def group_advantages(rewards: torch.Tensor, group_size: int, scale: Scale) -> tuple[torch.Tensor, torch.Tensor]:
    """(advantages, spreads), both (B,), of rewards (B,) in groups of `group_size` neighbours.

    scale  what the difference to the group's mean is divided by: the spread of the group, of the batch, or nothing.
           A completion without a reward has the advantage 0.
    """
    grouped = rewards.view(-1, group_size)
    means = torch.nanmean(grouped, dim=1).repeat_interleave(group_size, dim=0)
    if scale == "batch":
        spreads = spread(rewards).expand_as(rewards)
    else:
        spreads = spread(grouped, dim=1).repeat_interleave(group_size, dim=0)
    advantages = rewards - means
    if scale != "none":
        advantages = advantages / (spreads + EPSILON)
    return torch.nan_to_num(advantages, nan=0.0), spreads


def spread(values: torch.Tensor, dim: int | None = None) -> torch.Tensor:
    """The standard deviation of a sample without its NaN; NaN where fewer than two values are left."""
    mean = torch.nanmean(values, dim=dim, keepdim=True)
    variance = torch.nanmean((values - mean) ** 2, dim=dim, keepdim=True)
    count = torch.sum(~torch.isnan(values), dim=dim, keepdim=True)
    correction = torch.where(count > 1, count / (count - 1), torch.nan)  # Bessel's
    deviation = torch.sqrt(variance * correction)
    return deviation.squeeze() if dim is None else deviation.squeeze(dim)


def _score_metrics(scores: torch.Tensor, functions: list[str]) -> dict[str, float]:
    columns = {name: scores[:, place] for place, name in enumerate(functions)}
    means = {f"rewards/{name}/mean": float(torch.nanmean(column)) for name, column in columns.items()}
    return means | {f"rewards/{name}/std": float(spread(column)) for name, column in columns.items()}


def _reward_metrics(rewards: torch.Tensor, spreads: torch.Tensor) -> dict[str, float]:
    return {
        "reward": float(torch.nanmean(rewards)),
        "reward_std": float(spread(rewards)),
        "frac_reward_zero_std": float(torch.isclose(spreads, torch.zeros_like(spreads)).float().mean()),
    }


def _length_metrics(batch: StepBatch) -> dict[str, float]:
    lengths = torch.tensor([len(sample.token_ids) for sample in batch.samples], dtype=torch.float32)
    cut = torch.tensor([sample.finish_reason == "length" for sample in batch.samples])
    ended = lengths[~cut] if bool((~cut).any()) else torch.zeros(1)
    return {
        "completions/clipped_ratio": float(cut.float().mean()),
        **{f"completions/{name}_length": value for name, value in _range(lengths).items()},
        **{f"completions/{name}_terminated_length": value for name, value in _range(ended).items()},
    }


def _range(values: torch.Tensor) -> dict[str, float]:
    return {"mean": float(values.mean()), "min": float(values.min()), "max": float(values.max())}


def _number(value: float | None) -> float:
    return math.nan if value is None else value
