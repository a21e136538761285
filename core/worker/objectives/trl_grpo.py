"""TRL's GRPOTrainer with our engine, packed groups where they are exact, and a record of every step."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from transformers import PrinterCallback
from trl import GRPOTrainer
from trl.trainer.utils import split_tensor_dict

from core.config import RunConfig
from core.records.evaluation import EvaluationPrompt
from core.tasks.task import Example, Task
from core.worker.checkpoints.files import TrainingState
from core.worker.checkpoints.trainer_state import capture, restore, restore_random
from core.worker.loading.load import Loaded
from core.worker.memory import PeakMeter
from core.worker.objectives.trl_arguments import grpo_arguments
from core.worker.objectives.trl_sampler import TrlSampler
from core.worker.rollouts.assemble import StepBatch, collect
from core.worker.rollouts.evaluation import Evaluation
from core.worker.rollouts.examples import as_dataset
from core.worker.rollouts.score import RewardScores
from core.worker.update.logprobs import Scored, compare, score_batch
from core.worker.update.packing import split_groups

# The planner's names for the phases of a step.
PLANNED_PHASE = {"generate": "rollout", "evaluate": "rollout", "sync": "sync"}
OnStep = Callable[[StepBatch], bool]
OnAnswers = Callable[[Sequence[EvaluationPrompt]], None]


class PolicyTrainer(GRPOTrainer):
    """Calls `on_step` after each optimizer step with all it sampled and measured; True from it ends the training.
    Calls `on_answers` with the fixed prompts and the policy's answers to them every `evaluate_every` steps.

    packed  whether groups may be packed (see `packing_exact`); else TRL scores padded rows
    done    steps that are behind the policy; training goes on with the next one
    kept    the state of training after those steps
    """

    _buffered_inputs: list[dict[str, Any]] | None

    def __init__(
        self,
        loaded: Loaded,
        config: RunConfig,
        recipe: Task,
        examples: list[Example],
        folder: Path,
        on_phase: Callable[[str], None],
        on_step: OnStep,
        packed: bool = True,
        done: int = 0,
        kept: TrainingState | None = None,
        on_answers: OnAnswers | None = None,
    ) -> None:
        self._packed, self._done, self._kept, self._random = packed, done, kept, kept
        start = done * config.prompts_per_step % len(examples)
        examples = [*examples[start:], *examples[:start]]
        self._config, self._recipe, self._examples = config, recipe, examples
        self._on_phase, self._on_step, self._on_answers = on_phase, on_step, on_answers
        self._reward_scores = RewardScores(recipe, examples)
        self._seconds: dict[str, float] = {}
        self._memory = PeakMeter(loaded.engine)
        self._step_began = time.perf_counter()
        self._sampled: StepBatch | None = None
        self._scored: list[tuple[tuple[float, ...], tuple[float, ...]]] = []
        self._engine = loaded.engine
        self._evaluation = Evaluation(recipe, config, loaded.tokenizer) if on_answers else None
        self._inputs: dict[str, Any] | None = None
        self._entropy = 0.0
        weights = recipe.weights(config.reward_weights)
        device = loaded.policy.device
        adapter = [(each, each.data) for each in loaded.policy.parameters() if each.requires_grad]
        super().__init__(
            model=loaded.policy,
            reward_funcs=self._reward_scores.functions(),
            args=grpo_arguments(config, folder, list(weights.values()), device, done),
            train_dataset=as_dataset(examples),
            processing_class=loaded.tokenizer,
        )
        for parameter, data in adapter:  # which TRL rounds to bf16 where the base is in four bits
            parameter.data = data
        self.remove_callback(PrinterCallback)
        # The trainer is built without vLLM, which keeps its own colocate mode out, and then given our engine.
        self._sampler = TrlSampler(loaded.engine, config, self._clock, self._next_step, self._ask)
        self.vllm_generation = self._sampler
        self.use_vllm = True
        self._last_loaded_step = -1

    def _next_step(self) -> int:
        """The number of the step being sampled, counted over all attempts."""
        return int(self._done + self.state.global_step + 1)

    def _ask(self, last: bool = False) -> None:
        """Asks the fixed prompts when it is time to; the engine holds the policy as it is."""
        done = self._next_step() - 1
        if self._evaluation and self._on_answers and self._evaluation.is_due(done, last):
            with self._clock("evaluate"):
                answers = self._evaluation.answers(self._engine, done)
            self._on_answers(answers)

    def ask_at_the_end(self) -> None:
        """The same of the policy that training leaves."""
        if self._evaluation and self._evaluation.is_due(self._next_step() - 1, last=True):
            self._sampler.sync_weights()
            self._ask(last=True)
            self._engine.rest()

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        """The schedule over the whole run, wherever this attempt begins; the optimizer is brought to the same point."""
        scheduler = super().create_scheduler(self._config.steps, optimizer)
        if self._kept is not None:
            restore(self.optimizer, scheduler, self._kept)
            self._kept = None
        return scheduler

    def state_to_keep(self, **fingerprints: str) -> TrainingState:
        """What a later attempt needs to go on from the step just done."""
        step = self._done + self.state.global_step
        return capture(self.optimizer, self.lr_scheduler, step=step, fingerprints=fingerprints)

    @contextmanager
    def _clock(self, phase: str) -> Iterator[None]:
        """Announces a phase of the step and adds up its seconds."""
        self._on_phase(phase)
        self._memory.enter(PLANNED_PHASE.get(phase, "update"))
        began = time.perf_counter()
        yield
        self._seconds[phase] = self._seconds.get(phase, 0.0) + time.perf_counter() - began
        self._on_phase("update")
        # What an engine holds that goes to rest only now is no part of the update.
        self._memory.enter("update" if phase == "reward" else "")

    def _prepare_inputs(self, generation_batch: Any) -> dict[str, Any]:
        """TRL's own, less its shuffle: that would tear the groups apart which the update packs by their prompt."""
        splits = self.args.steps_per_generation
        if self._step % splits == 0 or self._buffered_inputs is None:
            batch = self._generate_and_score_completions(generation_batch)
            self._buffered_inputs = split_tensor_dict(batch, splits)
        return self._buffered_inputs[self._step % splits]

    def _calculate_rewards(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        with self._clock("reward"):
            return super()._calculate_rewards(*args, **kwargs)

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        if self._random is not None:  # here, so that nothing on the way to the first step draws from them
            restore_random(self._random)
            self._random = None
        # Off while sampling, or TRL would run a forward pass for the old logprobs that the loss computes anyway.
        self.vllm_importance_sampling_correction = False
        output: dict[str, Any] = super()._generate_and_score_completions(inputs)
        self._sampled = collect(
            self._sampler.prompts,
            self._sampler.groups,
            self._reward_scores,
            [self._examples[row["example"]] for row in inputs],
            output["advantages"].tolist(),
            self._recipe.weights(self._config.reward_weights),
            self.processing_class,
        )
        return output

    def _compute_loss(self, model: torch.nn.Module, inputs: dict[str, Any]) -> torch.Tensor:
        self._inputs = inputs
        self.vllm_importance_sampling_correction = True
        loss: torch.Tensor = super()._compute_loss(model, inputs)
        self._inputs = None
        self._metrics["train"]["entropy"][-1:] = [self._entropy]
        return loss

    def _get_per_token_logps_and_entropies(
        self,
        model: torch.nn.Module,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        logits_to_keep: int,
        batch_size: int | None = None,
        **kwargs: Any,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """(logprobs, entropies, auxiliary loss), the first two (B, T), of the last T = `logits_to_keep` tokens.

        Called from the loss it also completes `inputs`: one batch makes one update, so the policy that sampled is the
        policy now, and its logprobs serve as old logprobs and in the importance ratio without a pass of their own.
        """
        auxiliary = None
        if self._packed:
            scored = self._score_packed(model, input_ids, attention_mask, logits_to_keep)
        else:
            logprobs, entropies, auxiliary = super()._get_per_token_logps_and_entropies(
                model, input_ids, attention_mask, logits_to_keep, batch_size, **{**kwargs, "compute_entropy": True}
            )
            groups = len(split_groups(input_ids, attention_mask, logits_to_keep))
            scored = Scored(logprobs, entropies.detach(), attention_mask[:, -logits_to_keep:].bool(), groups)
        if self._inputs is not None:
            self._complete(self._inputs, scored)
        logprobs = scored.logprobs if scored.logprobs.requires_grad else scored.logprobs + _anchor(model)
        return logprobs, scored.entropies, auxiliary

    def _score_packed(
        self, model: torch.nn.Module, input_ids: torch.Tensor, attention_mask: torch.Tensor, width: int
    ) -> Scored:
        """Without a KL term the groups that have no advantage are left out of the loss's own call."""
        inputs = self._inputs
        needed = None if inputs is None or self.beta != 0.0 else inputs["advantages"] != 0
        base = self.accelerator.unwrap_model(model).get_base_model()
        with self.accelerator.autocast():
            return score_batch(base, input_ids, attention_mask, width, self.temperature, needed)

    def _complete(self, inputs: dict[str, Any], scored: Scored) -> None:
        """The importance ratio, and how far the engine's logprobs are from these."""
        mismatch = compare(scored, inputs["sampling_per_token_logps"])
        inputs["importance_sampling_ratio"] = mismatch.ratio.clamp(max=self.args.vllm_importance_sampling_clip_max)
        for name, value in mismatch.metrics().items():
            self._metrics["train"][name].append(value)
        self._metrics["train"]["groups_updated"].append(float(scored.groups))
        self._entropy = scored.mean_entropy()
        self._scored += scored.rows()

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        super().log(logs, start_time)
        if self._sampled is None or "loss" not in logs:
            return
        now = time.perf_counter()
        self._seconds["update"] = now - self._step_began - sum(self._seconds.values())
        sampled = self._sampled.scored(self._scored)
        sampled = sampled.measured(self._done + self.state.global_step, logs, self._seconds, self._memory.read())
        self._sampled, self._scored, self._seconds = None, [], {}
        self._on_phase("record")
        if self._on_step(sampled):
            self.control.should_training_stop = True
        self._step_began = time.perf_counter()


def _anchor(model: torch.nn.Module) -> torch.Tensor:
    """Zero, with a gradient of zero for every trained parameter: where all groups were skipped the optimizer must
    still see gradients, or its momentum would stand still where it should run out."""
    if not torch.is_grad_enabled():
        return torch.zeros(())
    trained = [parameter.sum() * 0.0 for parameter in model.parameters() if parameter.requires_grad]
    return torch.stack(trained).sum()
