"""What a task's reward functions say of completions; every value and every error is kept."""

import logging
import math
from dataclasses import replace

from transformers import PreTrainedTokenizerBase

from core.config import RunConfig
from core.records.rollout import RewardScore
from core.tasks.task import Example, Reward, Task
from core.worker.rollouts.batch import StepBatch

log = logging.getLogger(__name__)


class Scorer:
    """Scores the completions of a step with each reward function of the task.

    weights  function -> weight in the reward, as the run has them
    """

    def __init__(self, task: Task, tokenizer: PreTrainedTokenizerBase, config: RunConfig) -> None:
        self._task, self._tokenizer = task, tokenizer
        self.weights = task.weights(config.reward_weights)

    def score(self, batch: StepBatch) -> StepBatch:
        """The batch with texts and scores."""
        ids = [list(sample.token_ids) for sample in batch.samples]
        texts = tuple(self._tokenizer.batch_decode(ids, skip_special_tokens=True))
        asked = [example for example, _, rows in batch.groups() for _ in rows]
        scores = tuple(
            tuple(score(reward, text, example) for reward in self._task.rewards)
            for text, example in zip(texts, asked, strict=True)
        )
        return replace(batch, texts=texts, scores=scores)


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
