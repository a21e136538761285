"""A step's completions, from the engine."""

from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase

from core.config import RunConfig
from core.tasks.task import Example
from core.worker.engines.engine import InferenceEngine, Sampling
from core.worker.rollouts.batch import StepBatch
from core.worker.rollouts.examples import prompt_token_ids

# Keeps the seeds of neighbouring runs' steps apart.
SEED_STRIDE = 1_000_003


class Sampler:
    """Asks the engine for the completions of a step. The step's number and the run's seed decide what it draws."""

    def __init__(self, engine: InferenceEngine, tokenizer: PreTrainedTokenizerBase, config: RunConfig) -> None:
        self._engine, self._tokenizer, self._config = engine, tokenizer, config

    def sample(self, number: int, examples: Sequence[Example]) -> StepBatch:
        """`group_size` completions of each example. The engine must hold the policy."""
        prompts = [prompt_token_ids(example, self._tokenizer) for example in examples]
        groups = self._engine.generate(prompts, self._config.group_size, self._sampling(number))
        return StepBatch(
            examples=tuple(examples),
            prompts=tuple(map(tuple, prompts)),
            samples=tuple(sample for group in groups for sample in group),
        )

    def _sampling(self, number: int) -> Sampling:
        config = self._config
        return Sampling(
            temperature=config.temperature,
            top_p=config.top_p,
            top_k=config.top_k,
            max_tokens=config.completion_tokens,
            seed=(config.seed * SEED_STRIDE + number) % 2**31,
        )
