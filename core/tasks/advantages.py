"""From scores to rewards, and from a step's rewards to advantages: as training weighs them, for everyone.

The training process stores rewards by `weighted`; its advantages are computed inside TRL (GRPOTrainer,
`sum_then_normalize`), which `advantages` repeats and a test holds against what runs have stored.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Literal

EPSILON = 1e-4  # TRL adds it to the spread that advantages are divided by
FLAT = 1e-9  # rewards closer than this are the same
Scale = Literal["group", "batch", "none"]


def weighted(scores: Mapping[str, float | None], weights: Mapping[str, float]) -> float | None:
    """The sum of the known scores by their weights; None when no function could score the completion."""
    known = [value * weights[name] for name, value in scores.items() if value is not None]
    return sum(known) if known else None


def advantages(groups: Sequence[Sequence[float | None]], scale: Scale) -> list[list[float]]:
    """How much better than its group each completion of a step is, by group and in the groups' order.

    scale  what the difference is divided by: the spread of the group, of the whole step, or nothing. A completion
           without a reward counts for nothing and gets 0.
    """
    whole = _spread([reward for group in groups for reward in group if reward is not None])
    found = []
    for group in groups:
        known = [reward for reward in group if reward is not None]
        mean = statistics.fmean(known) if known else 0.0
        spread = {"group": _spread(known), "batch": whole, "none": 1.0 - EPSILON}[scale] + EPSILON
        found.append([_finite((reward - mean) / spread) if reward is not None else 0.0 for reward in group])
    return found


def is_flat(rewards: Sequence[float | None]) -> bool:
    """Whether a group teaches nothing: all its rewards are the same, or there are none."""
    known = [reward for reward in rewards if reward is not None]
    return not known or max(known) - min(known) < FLAT


def _spread(values: Sequence[float]) -> float:
    """The standard deviation of a sample; of fewer than two values there is none."""
    return statistics.stdev(values) if len(values) > 1 else math.nan


def _finite(value: float) -> float:
    return value if math.isfinite(value) else 0.0
