"""A recipe's reward functions in TRL's shape, with every score and every error kept."""

import logging
import math
from collections.abc import Callable, Sequence
from typing import Any

from core.records.rollout import RewardScore
from core.tasks.task import Example, Reward, Task

log = logging.getLogger(__name__)
RewardBatch = Callable[..., list[float | None]]


class RewardScores:
    """Scores of the batch at hand, by function: one RewardScore for each completion, in TRL's order."""

    def __init__(self, recipe: Task, examples: Sequence[Example]) -> None:
        self._recipe, self._examples = recipe, examples
        self._scores: dict[str, list[RewardScore]] = {}

    def functions(self) -> list[RewardBatch]:
        """One function a reward, as TRL calls them: prompts, completions and the dataset's columns as lists."""
        return [self._in_trl_shape(reward) for reward in self._recipe.rewards]

    def of(self, row: int) -> tuple[RewardScore, ...]:
        """The scores of one completion of the batch."""
        return tuple(column[row] for column in self._scores.values())

    def _in_trl_shape(self, reward: Reward) -> RewardBatch:
        def score_batch(completions: list[Any], example: list[int], **_: Any) -> list[float | None]:
            column = [
                score(reward, completion_text(completion), self._examples[index])
                for completion, index in zip(completions, example, strict=True)
            ]
            self._scores[reward.name] = column
            return [each.value for each in column]

        score_batch.__name__ = reward.name
        return score_batch


def score(reward: Reward, text: str, example: Example) -> RewardScore:
    """One reward function asked about one completion; what goes wrong is noted in the score."""
    try:
        value = reward.function(text, example.fields)
    except Exception as error:  # a reward that raises is data: unscored, with its reason
        log.warning("Reward %s raised %r on %r", reward.name, error, text[:200])
        return RewardScore(reward.name, None, f"{type(error).__name__}: {error}")
    if value is not None and not math.isfinite(value):
        return RewardScore(reward.name, None, f"returned {value}")
    return RewardScore(reward.name, None if value is None else float(value))


def completion_text(completion: Any) -> str:
    """The text of a completion as TRL passes it: plain, or a list with one assistant message."""
    return completion if isinstance(completion, str) else str(completion[0]["content"])
