"""The engine in the place where TRL expects its own vLLM."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from core.config import RunConfig
from core.worker.engines.engine import InferenceEngine, Sample, Sampling

Clock = Callable[[str], AbstractContextManager[None]]
# Keeps the seeds of neighbouring runs' steps apart.
SEED_STRIDE = 1_000_003


class TrlSampler:
    """Answers `sync_weights` and `generate` as trl.generation.VLLMGeneration does, and keeps what was sampled.

    step   called for the number of the step being sampled, from 1
    after  called when a step has been sampled, while the engine is awake and still holds the policy that sampled
    """

    def __init__(
        self,
        engine: InferenceEngine,
        config: RunConfig,
        clock: Clock,
        step: Callable[[], int],
        after: Callable[[], None] = lambda: None,
    ) -> None:
        self._after = after
        self._engine, self._config, self._clock, self._step = engine, config, clock, step
        self.prompts: list[list[int]] = []
        self.groups: list[list[Sample]] = []

    def sync_weights(self) -> None:
        with self._clock("sync"):
            self._engine.sync()

    def generate(
        self, prompts: list[list[int]], images: Any, num_generations: int, profiler: Any = None
    ) -> tuple[list[list[int]], list[list[int]], list[list[list[float]]], None]:
        """TRL sends each prompt once per completion; the engine gets it once, with n = group size."""
        self.prompts = prompts[::num_generations]
        with self._clock("generate"):
            self.groups = self._engine.generate(self.prompts, num_generations, self._sampling())
        self._after()
        self._engine.rest()  # after the clock: what it gives back was in use while it sampled
        samples = [sample for group in self.groups for sample in group]
        logprobs = [[[value] for value in sample.logprobs] for sample in samples]  # (B, T, 1)
        return prompts, [list(sample.token_ids) for sample in samples], logprobs, None

    def _sampling(self) -> Sampling:
        config = self._config
        return Sampling(
            temperature=config.temperature,
            top_p=config.top_p,
            top_k=config.top_k,
            max_tokens=config.completion_tokens,
            seed=(config.seed * SEED_STRIDE + self._step()) % 2**31,
        )
