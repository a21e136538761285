"""One GRPO step as it happens (Shao et al., DeepSeekMath, 2024).

    sample      the engine takes the policy's adapter and answers each prompt `group_size` times
    score       each reward function says what it makes of each completion
    advantages  how much better than the rest of its group each completion is
    update      the loss over the batch, backward, one optimizer step: the trainer's, `objectives.trl_grpo`
    record      all that was sampled, scored and measured, kept as one record

What is known of the completions is one value, a StepBatch, which each of these takes and completes.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

from core.config import RunConfig
from core.records.step import Step
from core.tasks.task import Example
from core.worker.engines.engine import InferenceEngine
from core.worker.rollouts.advantages import with_advantages
from core.worker.rollouts.batch import StepBatch, Update
from core.worker.rollouts.record import Decode, as_step
from core.worker.rollouts.sample import Sampler
from core.worker.rollouts.score import Scorer
from core.worker.step_clock import StepClock


@dataclass(frozen=True)
class GrpoStep:
    """What a step works with.

    evaluate  asks the fixed prompts where it is time to, of the policy as it is after so many steps
    keep      stores a step; True from it ends the training
    """

    config: RunConfig
    engine: InferenceEngine
    sampler: Sampler
    scorer: Scorer
    clock: StepClock
    decode: Decode
    evaluate: Callable[[int], None]
    keep: Callable[[Step], bool]

    def run(self, number: int, examples: Sequence[Example]) -> Generator[StepBatch, Update, bool]:
        """Step `number`, from 1. Yields the batch to be updated on, is sent what the update made of it, and returns
        whether the training should end."""
        self.clock.begin_step()
        with self.clock.phase("sync"):
            self.engine.sync()
        with self.clock.phase("generate"):
            batch = self.sampler.sample(number, examples)
        self.evaluate(number - 1)  # while the engine is awake and still holds the policy that sampled
        self.engine.rest()  # after the clock: what it gives back was in use while it sampled
        with self.clock.phase("reward"):
            batch = self.scorer.score(batch, number)
            batch = with_advantages(batch, self.scorer.weights, self.config.scale_rewards)
        update = yield batch
        taken = self.clock.end_step()
        return self.keep(as_step(number, batch, update, self.scorer.weights, self.decode, *taken))
