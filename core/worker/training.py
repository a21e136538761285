"""A trainer put together from what was loaded: the step, its evaluation, and TRL's loop around them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.config import RunConfig
from core.records.step import Step
from core.tasks.scoring import Scoring
from core.tasks.task import Example, Task
from core.worker.checkpoints.files import TrainingState
from core.worker.loading.load import Loaded
from core.worker.objectives.trl_grpo import PolicyTrainer
from core.worker.rollouts.evaluation import Evaluation, Evaluator, KeepAnswers
from core.worker.rollouts.sample import Sampler
from core.worker.rollouts.score import Scorer
from core.worker.step import GrpoStep
from core.worker.step_clock import StepClock


@dataclass(frozen=True)
class Training:
    """What a run does between loading and saving."""

    trainer: PolicyTrainer
    evaluator: Evaluator
    scoring: Scoring

    def run(self) -> None:
        """Trains to the end, or until a step says to stop; the fixed prompts are asked once more of what came of it."""
        with self.scoring:
            self.trainer.train()
            self.evaluator.ask_at_the_end(self.trainer.steps_done)


def prepare_training(
    loaded: Loaded,
    config: RunConfig,
    task: Task,
    examples: Sequence[Example],
    folder: Path,
    keep: Callable[[Step], bool],
    *,
    scoring: Scoring | None = None,
    keep_answers: KeepAnswers | None = None,
    announce: Callable[[str], None] = lambda phase: None,
    packed: bool = True,
    done: int = 0,
    kept: TrainingState | None = None,
) -> Training:
    """Ready to `run`.

    examples      of every step, in order
    keep          stores a step; True from it ends the training
    scoring       asks the task's rewards, and is closed at the end; None: users' files need protection
    keep_answers  stores the answers to the fixed prompts; None: they are not asked
    announce      hears of each phase of a step as it begins
    packed        whether groups may be packed
    done, kept    the steps that are behind the policy, and the state of training after them
    """
    clock = StepClock(loaded.engine, announce)
    asked = config if keep_answers else config.model_copy(update={"evaluate_every": 0})
    scoring = scoring or Scoring(task.rewards)
    scorer = Scorer(scoring, loaded.tokenizer, task.weights(config.reward_weights), config.steps)
    prompts = Evaluation(task, asked, loaded.tokenizer, scorer)
    evaluator = Evaluator(prompts, loaded.engine, clock, keep_answers or (lambda answers: None))
    step = GrpoStep(
        config=config,
        engine=loaded.engine,
        sampler=Sampler(loaded.engine, loaded.tokenizer, config),
        scorer=scorer,
        clock=clock,
        decode=loaded.tokenizer.decode,
        evaluate=evaluator.ask,
        keep=keep,
    )
    return Training(PolicyTrainer(loaded, config, step, examples, folder, packed, done, kept), evaluator, scoring)
