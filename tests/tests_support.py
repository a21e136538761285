"""Records that several tests write."""

import math

from core.records.rollout import Completion, Group, RewardScore
from core.records.step import Step


def a_step(number: int, text: str = "<answer>9</answer>", reward: float | None = 1.0) -> Step:
    """A step with one group of two completions, one metric that is not a number, and one reward that raised."""
    completions = tuple(
        Completion(
            index=index,
            text=text,
            finish_reason="stop",
            reward=reward,
            advantage=0.5 - index,
            scores=(RewardScore("correctness", reward), RewardScore("format", None, "ValueError: no")),
            length=3,
            token_ids=(5, 6, 70000),
            logprobs=(-0.5, -0.25, -8.0),
            extra={"parsed": "9", "digits": 1} if index == 0 else {},
        )
        for index in range(2)
    )
    group = Group(0, "What is 6+3?", (1, 2), {"answer": 9}, completions)
    return Step(number, {"loss": math.nan, "entropy": 0.5}, {"generate": 2.0}, {"resident": 5}, (group,))
