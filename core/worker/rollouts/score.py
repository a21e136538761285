"""What a task's rewards say of a step's completions; every value and every error is kept."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from transformers import PreTrainedTokenizerBase

from core.records.rollout import RewardScore
from core.tasks.sandbox.scored import Scored
from core.tasks.sandbox.scorer import Frame
from core.tasks.scoring import Scoring
from core.tasks.task import Example
from core.worker.engines.engine import Sample
from core.worker.rollouts.batch import StepBatch


class Scorer:
    """Asks for the scores of completions as the engine gives them.

    weights    reward -> weight, as the run has them
    max_steps  the run's steps in all, for functions that ask
    """

    def __init__(
        self, scoring: Scoring, tokenizer: PreTrainedTokenizerBase, weights: Mapping[str, float], max_steps: int
    ) -> None:
        self._scoring, self._tokenizer, self._max_steps = scoring, tokenizer, max_steps
        self.weights = weights

    def score(self, batch: StepBatch, number: int) -> StepBatch:
        """The batch of step `number`, from 1, with texts, scores and what functions logged."""
        groups = [(example, [batch.samples[row] for row in rows]) for example, _, rows in batch.groups()]
        texts, scored = self._asked(groups, number - 1)
        return replace(batch, texts=texts, scores=score_rows(scored), extra=extra_rows(scored), logged=scored.metrics)

    def score_replies(
        self, examples: Sequence[Example], samples: Sequence[Sample], done: int
    ) -> tuple[tuple[RewardScore, ...], ...]:
        """A row of scores for each example's one completion."""
        _, scored = self._asked([(example, [sample]) for example, sample in zip(examples, samples, strict=True)], done)
        return score_rows(scored)

    def _asked(self, groups: Sequence[tuple[Example, Sequence[Sample]]], done: int) -> tuple[tuple[str, ...], Scored]:
        ids = [list(sample.token_ids) for _, members in groups for sample in members]
        texts = tuple(self._tokenizer.batch_decode(ids, skip_special_tokens=True))
        frames, first = [], 0
        for example, members in groups:
            rows = range(first, first + len(members))
            first = rows.stop
            tokens = tuple(sample.token_ids for sample in members)
            frames.append(Frame(example.prompt, texts[rows.start : rows.stop], example.fields, tokens))
        return texts, self._scoring.score(frames, step=done, max_steps=self._max_steps)


def score_rows(scored: Scored) -> tuple[tuple[RewardScore, ...], ...]:
    """One row of each reward's score for every completion, in their order."""
    columns = [
        [RewardScore(name, outcome.value, outcome.error or "") for outcome in outcomes]
        for name, outcomes in scored.outcomes.items()
    ]
    return tuple(zip(*columns, strict=True))


def extra_rows(scored: Scored) -> tuple[Mapping[str, Any], ...]:
    """What functions said of each completion beside their scores, by name; () where they said nothing."""
    rows = zip(*scored.extra.values(), strict=True)
    return tuple(
        {name: value for name, value in zip(scored.extra, row, strict=True) if value is not None} for row in rows
    )
