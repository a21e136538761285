"""One step as it comes out of training: sampled groups first, then what was measured."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase

from core.records.rollout import Completion, Group, RewardScore
from core.records.step import Step
from core.tasks.advantages import weighted
from core.tasks.task import Example
from core.worker.engines.engine import Sample
from core.worker.rollouts.score import RewardScores

# TRL logs these beside the metrics of the step; they are ours to keep elsewhere, or say nothing.
NOT_METRICS = frozenset({"epoch", "step_time", "num_tokens"})


@dataclass(frozen=True)
class StepBatch:
    """What a step sampled, and after its update what it measured."""

    groups: tuple[Group, ...]
    step: Step | None = None

    def scored(self, rows: Sequence[tuple[tuple[float, ...], tuple[float, ...]]]) -> "StepBatch":
        """With (logprobs, entropies) of each completion's tokens as the trainer computed them, in order."""
        row = iter(rows)
        groups = []
        for group in self.groups:
            each = [(one, *next(row)) for one in group.completions]
            members = tuple(
                dataclasses.replace(one, trainer_logprobs=logprobs, entropies=entropies)
                for one, logprobs, entropies in each
            )
            groups.append(dataclasses.replace(group, completions=members))
        return dataclasses.replace(self, groups=tuple(groups))

    def measured(
        self, number: int, logs: Mapping[str, float], seconds: Mapping[str, float], memory: Mapping[str, int]
    ) -> "StepBatch":
        metrics = {name: value for name, value in logs.items() if name not in NOT_METRICS}
        metrics["engine/cache_tokens"] = float(cache_tokens(self.groups))
        return dataclasses.replace(self, step=Step(number, metrics, dict(seconds), dict(memory), self.groups))


def cache_tokens(groups: Sequence[Group]) -> int:
    """Most tokens whose keys and values the engine would hold at one time if nothing had to wait.

    All sequences grow together; one that has ended gives its part back. A group's prompt is held once.
    """
    lengths = sorted((completion.length for group in groups for completion in group.completions), reverse=True)
    running = max((count * length for count, length in enumerate(lengths, start=1)), default=0)
    return running + sum(len(group.prompt_token_ids) for group in groups)


def collect(
    prompts: Sequence[Sequence[int]],
    groups_of_samples: Sequence[Sequence[Sample]],
    reward_scores: RewardScores,
    examples: Sequence[Example],
    advantages: Sequence[float],
    weights: Mapping[str, float],
    tokenizer: PreTrainedTokenizerBase,
) -> StepBatch:
    """The groups of the batch just sampled. `examples` and `advantages` have one entry a completion."""
    groups, row = [], 0
    for number, (prompt, samples) in enumerate(zip(prompts, groups_of_samples, strict=True)):
        members = []
        fields = examples[row].fields
        for index, sample in enumerate(samples):
            members.append(_completion(index, sample, reward_scores.of(row), advantages[row], weights, tokenizer))
            row += 1
        groups.append(Group(number, tokenizer.decode(prompt), tuple(prompt), fields, tuple(members)))
    return StepBatch(tuple(groups))


def _completion(
    index: int,
    sample: Sample,
    scores: tuple[RewardScore, ...],
    advantage: float,
    weights: Mapping[str, float],
    tokenizer: PreTrainedTokenizerBase,
) -> Completion:
    return Completion(
        index=index,
        text=tokenizer.decode(list(sample.token_ids)),  # special tokens included: they are part of what was sampled
        finish_reason=sample.finish_reason,
        reward=weighted({score.function: score.value for score in scores}, weights),
        advantage=advantage,
        scores=scores,
        length=len(sample.token_ids),
        token_ids=sample.token_ids,
        logprobs=sample.logprobs,
    )
