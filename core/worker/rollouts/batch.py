"""What one step knows of its completions, from the prompt to what the update made of each token."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from core.records.rollout import RewardScore
from core.tasks.task import Example
from core.worker.engines.engine import Sample
from core.worker.update.logprobs import Mismatch, Scored

TokenRow = tuple[tuple[float, ...], tuple[float, ...]]  # (logprobs, entropies) of one completion's tokens


@dataclass(frozen=True)
class StepBatch:
    """B completions in groups of G; a group's lie next to each other, in the order of the prompts.

    examples    B / G, what was asked
    prompts     B / G, the same as token ids
    samples     B, what the engine drew
    texts       B, the same without special tokens: what rewards see
    scores      B rows of one RewardScore for each reward function
    advantages  B
    extra       B, what reward functions said of each beside their scores; empty where they said nothing
    logged      name -> what reward functions logged, its mean over the step
    metrics     name -> mean over the step
    """

    examples: tuple[Example, ...]
    prompts: tuple[tuple[int, ...], ...]
    samples: tuple[Sample, ...]
    texts: tuple[str, ...] = ()
    scores: tuple[tuple[RewardScore, ...], ...] = ()
    advantages: tuple[float, ...] = ()
    extra: tuple[Mapping[str, Any], ...] = ()
    logged: Mapping[str, float] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)

    @property
    def group_size(self) -> int:
        return len(self.samples) // len(self.prompts)

    def groups(self) -> Iterator[tuple[Example, tuple[int, ...], range]]:
        """(what was asked, its token ids, the rows of its completions) of each group."""
        size = self.group_size
        for number, (example, prompt) in enumerate(zip(self.examples, self.prompts, strict=True)):
            yield example, prompt, range(number * size, (number + 1) * size)


class Update:
    """What the update makes of a batch, one micro-batch after the other; `logs` is what the trainer says of it."""

    def __init__(self) -> None:
        self.tokens: list[TokenRow] = []
        self.logs: Mapping[str, float] = {}
        self._measured: dict[str, list[float]] = {}

    def add(self, scored: Scored, mismatch: Mismatch) -> None:
        """The next micro-batch, in the batch's order."""
        self.tokens += scored.rows()
        measures = {
            **mismatch.metrics(),
            "groups_updated": float(scored.groups),
            "entropy": scored.mean_entropy(),
        }
        for name, value in measures.items():
            self._measured.setdefault(name, []).append(value)

    def metrics(self) -> dict[str, float]:
        """Means over the micro-batches, beside what the trainer logged."""
        return {**self.logs, **{name: fmean(values) for name, values in self._measured.items()}}
