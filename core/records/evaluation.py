"""The fixed prompts of a run and the policy's greedy answers to them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.records.rollout import RewardScore


@dataclass(frozen=True)
class Reply:
    """The policy's greedy answer to a fixed prompt after `step` steps; 0: before the first."""

    step: int
    text: str
    finish_reason: str
    length: int
    reward: float | None
    scores: tuple[RewardScore, ...] = ()


@dataclass(frozen=True)
class EvaluationPrompt:
    """A prompt that a run is asked again and again, apart from training; its replies by step."""

    number: int
    prompt: str
    fields: Mapping[str, Any]
    replies: tuple[Reply, ...] = ()
