"""The fixed prompts of a recipe, and the policy's greedy answers to them between the steps.

They come from a seed that no run can have, in the same order for every run of a recipe; a run passes over those that it
trains on, by their text, and takes them only where the recipe has too few others. Answering leaves training as it was:
the engine keeps the global random generators and holds nothing over from batch to batch.
"""

import itertools
from collections.abc import Callable, Collection, Mapping, Sequence

from transformers import PreTrainedTokenizerBase

from core.config import RunConfig
from core.records.evaluation import EvaluationPrompt, Reply
from core.records.rollout import RewardScore
from core.tasks.advantages import weighted
from core.tasks.task import Example, Task
from core.worker.engines.engine import InferenceEngine, Sample, Sampling
from core.worker.rollouts.examples import choose_examples, prompt_token_ids
from core.worker.rollouts.score import Scorer
from core.worker.step_clock import StepClock

PROMPTS = 8
LOOKED_THROUGH = 20_000  # examples, for that many different prompts which fit
SEED = 2**31  # one more than the largest that a run may have
KeepAnswers = Callable[[Sequence[EvaluationPrompt]], None]


class Evaluation:
    """What to ask, when, and what became of it."""

    def __init__(self, recipe: Task, config: RunConfig, tokenizer: PreTrainedTokenizerBase, scorer: Scorer) -> None:
        self._recipe, self._config, self._tokenizer, self._scorer = recipe, config, tokenizer, scorer
        self._asked = self._choose() if config.evaluate_every else {}
        self._answered_at = -1

    @property
    def asked(self) -> tuple[Example, ...]:
        """The fixed prompts, in the order they are asked in."""
        return tuple(self._asked.values())

    def _choose(self) -> Mapping[tuple[int, ...], Example]:
        trained = {prompt_text(example) for example in choose_examples(self._recipe, self._config, self._tokenizer)}
        return choose(self._recipe, self._config, self._tokenizer, trained)

    def is_due(self, done: int, last: bool = False) -> bool:
        """Whether to ask the policy as it is after `done` steps."""
        if not self._asked or done == self._answered_at:
            return False
        return last or done % self._config.evaluate_every == 0

    def answers(self, engine: InferenceEngine, done: int) -> tuple[EvaluationPrompt, ...]:
        """Every prompt with the likeliest answer; the engine must hold the policy as it is after `done` steps."""
        self._answered_at = done
        # The likeliest token alone is left to draw from, which both engines understand.
        greedy = Sampling(1.0, 1.0, top_k=1, max_tokens=self._config.completion_tokens, seed=self._config.seed)
        prompts = [list(ids) for ids in self._asked]
        samples = [sample for [sample] in engine.generate(prompts, 1, greedy)]
        scores = self._scorer.score_replies(self.asked, samples, done)
        return tuple(
            EvaluationPrompt(number, self._tokenizer.decode(prompt), example.fields, (self._reply(done, sample, row),))
            for number, (prompt, example, sample, row) in enumerate(
                zip(prompts, self.asked, samples, scores, strict=True)
            )
        )

    def _reply(self, done: int, sample: Sample, scores: tuple[RewardScore, ...]) -> Reply:
        ids = list(sample.token_ids)
        return Reply(
            step=done,
            text=self._tokenizer.decode(ids),
            finish_reason=sample.finish_reason,
            length=len(ids),
            reward=weighted({each.function: each.value for each in scores}, self._scorer.weights),
            scores=scores,
        )


class Evaluator:
    """Asks the fixed prompts between steps, where the engine holds the policy, and hands the answers to `keep`."""

    def __init__(self, prompts: Evaluation, engine: InferenceEngine, clock: StepClock, keep: KeepAnswers) -> None:
        self._prompts, self._engine, self._clock, self._keep = prompts, engine, clock, keep

    def ask(self, done: int, last: bool = False) -> None:
        """Asks where it is time to, of the policy as it is after `done` steps."""
        if self._prompts.is_due(done, last):
            with self._clock.phase("evaluate"):
                answers = self._prompts.answers(self._engine, done)
            self._keep(answers)

    def ask_at_the_end(self, done: int) -> None:
        """The same of the policy that training leaves, which the engine has yet to take."""
        if self._prompts.is_due(done, last=True):
            with self._clock.phase("sync"):
                self._engine.sync()
            self.ask(done, last=True)
            self._engine.rest()


def choose(
    recipe: Task, config: RunConfig, tokenizer: PreTrainedTokenizerBase, trained: Collection[str] = ()
) -> Mapping[tuple[int, ...], Example]:
    """Up to PROMPTS different prompts that fit, as token ids; those with a text in `trained` for want of others."""
    chosen: dict[tuple[int, ...], Example] = {}
    spare: dict[tuple[int, ...], Example] = {}
    seen: set[str] = set()
    for example in itertools.islice(recipe.evaluation_examples(config.dataset, SEED), LOOKED_THROUGH):
        text = prompt_text(example)
        if text in seen or (text in trained and len(spare) == PROMPTS):
            continue
        seen.add(text)
        ids = tuple(prompt_token_ids(example, tokenizer))
        if len(ids) <= config.prompt_tokens:
            (spare if text in trained else chosen).setdefault(ids, example)
        if len(chosen) == PROMPTS:
            break
    return dict(itertools.islice({**chosen, **spare}.items(), PROMPTS))


def prompt_text(example: Example) -> str:
    """What makes a prompt the same as another."""
    return "\0".join(f"{message['role']}\0{message['content']}" for message in example.prompt)
