"""The update of a GRPO step: TRL's loss, optimizer and schedule over the batches of `core.worker.step`.

TRL's loop asks for one micro-batch after the other. With the first of a step the step begins, up to its advantages;
when TRL logs, the update is done and the step ends. Packed groups take the place of padded rows where that is exact.
"""

from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import PrinterCallback

from core.config import RunConfig
from core.tasks.task import Example
from core.worker.checkpoints.files import TrainingState
from core.worker.checkpoints.trainer_state import capture, restore, restore_random
from core.worker.loading.load import Loaded
from core.worker.objectives.trl_arguments import grpo_arguments
from core.worker.objectives.trl_inputs import loss_inputs
from core.worker.rollouts.batch import StepBatch, Update
from core.worker.rollouts.examples import as_dataset
from core.worker.step import GrpoStep
from core.worker.update.logprobs import Scored, compare, score_batch
from core.worker.update.packing import split_groups
from core.worker.upstream.trl import RATIO, REFERENCE, SAMPLED, HookedGrpoTrainer


class PolicyTrainer(HookedGrpoTrainer):
    """Trains the policy, a `GrpoStep` for each optimizer step, until all are done or one of them says to end.

    packed  whether groups may be packed (see `checks.packing_exact`); else TRL scores padded rows
    done    steps that are behind the policy; training goes on with the next one
    kept    the state of training after those steps

    update  what the update at hand, or the last one, makes of its batch
    """

    def __init__(
        self,
        loaded: Loaded,
        config: RunConfig,
        step: GrpoStep,
        examples: Sequence[Example],
        folder: Path,
        packed: bool = True,
        done: int = 0,
        kept: TrainingState | None = None,
    ) -> None:
        self._config, self._story, self._packed = config, step, packed
        self._done, self._kept, self._random = done, kept, kept
        start = done * config.prompts_per_step % len(examples)
        self._examples = [*examples[start:], *examples[:start]]
        self._running: Generator[StepBatch, Update, bool] | None = None
        self.update = Update()
        self._micro_batches: list[dict[str, Any]] = []
        self._in_loss: dict[str, Any] | None = None
        adapter = [(each, each.data) for each in loaded.policy.parameters() if each.requires_grad]
        super().__init__(
            model=loaded.policy,
            reward_funcs=scored_by_the_step,
            args=grpo_arguments(config, folder, loaded.policy.device, done),
            train_dataset=as_dataset(self._examples),
            processing_class=loaded.tokenizer,
        )
        for parameter, data in adapter:  # which TRL rounds to bf16 where the base is in four bits
            parameter.data = data
        self.remove_callback(PrinterCallback)
        self.correct_for_the_engine()

    @property
    def steps_done(self) -> int:
        """Counted over all attempts of the run."""
        return int(self._done + self.state.global_step)

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        """The schedule over the whole run, wherever this attempt begins; the optimizer is brought to the same point."""
        scheduler = super().create_scheduler(self._config.steps, optimizer)
        if self._kept is not None:
            restore(self.optimizer, scheduler, self._kept)
            self._kept = None
        return scheduler

    def state_to_keep(self, **fingerprints: str) -> TrainingState:
        """What a later attempt needs to go on from the step just done."""
        return capture(self.optimizer, self.lr_scheduler, step=self.steps_done, fingerprints=fingerprints)

    def next_micro_batch(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """Inputs of the loss. `rows` are the step's completions to come, a row of the data set for each."""
        if not self._micro_batches:
            self._begin_step([self._examples[row["example"]] for row in rows[:: self._config.group_size]])
        return self._micro_batches.pop(0)

    def _begin_step(self, examples: Sequence[Example]) -> None:
        if self._random is not None:  # here, so that nothing on the way to the first step draws from them
            restore_random(self._random)
            self._random = None
        self._running, self.update = self._story.run(self.steps_done + 1, examples), Update()
        inputs = loss_inputs(next(self._running), self.processing_class.pad_token_id, self.accelerator.device)
        if self.beta != 0.0:
            inputs[REFERENCE] = self._reference(inputs)
        size = self._config.micro_batch
        self._micro_batches = [
            {name: value[start : start + size] if value.dim() else value for name, value in inputs.items()}
            for start in range(0, self._config.batch_size, size)
        ]

    @torch.no_grad()
    def _reference(self, inputs: dict[str, Any]) -> torch.Tensor:
        """(B, T) logprobs of the base model: the policy without its adapter."""
        ids = torch.cat([inputs["prompt_ids"], inputs["completion_ids"]], dim=1)
        mask = torch.cat([inputs["prompt_mask"], inputs["completion_mask"]], dim=1)
        with self.accelerator.unwrap_model(self.model).disable_adapter():
            return self.score(self.model, ids, mask, inputs["completion_ids"].shape[1], self._config.micro_batch)[0]

    def compute_loss(self, model: torch.nn.Module, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> torch.Tensor:
        self._in_loss = inputs
        loss: torch.Tensor = super().compute_loss(model, inputs, *args, **kwargs)
        self._in_loss = None
        return loss

    def score(
        self,
        model: torch.nn.Module,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        width: int,
        batch_size: int | None = None,
        **options: Any,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """(logprobs, entropies, auxiliary loss), the first two (B, T), of the last T = `width` tokens.

        Called from the loss it also completes its inputs: one batch makes one update, so the policy that sampled is the
        policy now, and its logprobs serve as old logprobs and in the importance ratio without a pass of their own.
        """
        auxiliary = None
        if self._packed:
            scored = self._score_packed(model, input_ids, attention_mask, width)
        else:
            logprobs, entropies, auxiliary = super().score(
                model, input_ids, attention_mask, width, batch_size, **options
            )
            groups = len(split_groups(input_ids, attention_mask, width))
            scored = Scored(logprobs, entropies.detach(), attention_mask[:, -width:].bool(), groups)
        if self._in_loss is not None:
            mismatch = compare(scored, self._in_loss[SAMPLED])
            self._in_loss[RATIO] = mismatch.ratio.clamp(max=self.args.vllm_importance_sampling_clip_max)
            self.update.add(scored, mismatch)
        logprobs = scored.logprobs if scored.logprobs.requires_grad else scored.logprobs + _anchor(model)
        return logprobs, scored.entropies, auxiliary

    def _score_packed(
        self, model: torch.nn.Module, input_ids: torch.Tensor, attention_mask: torch.Tensor, width: int
    ) -> Scored:
        """Without a KL term the groups that have no advantage are left out of the loss's own call."""
        inputs = self._in_loss
        needed = None if inputs is None or self.beta != 0.0 else inputs["advantages"] != 0
        base = self.accelerator.unwrap_model(model).get_base_model()
        with self.accelerator.autocast():
            return score_batch(base, input_ids, attention_mask, width, self.temperature, needed)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        super().log(logs, start_time)
        if self._running is None or "loss" not in logs:
            return
        self.update.logs = logs
        try:
            self._running.send(self.update)
        except StopIteration as ended:
            self._running = None
            self.control.should_training_stop |= bool(ended.value)


def scored_by_the_step(**_: Any) -> list[float]:
    """TRL wants a reward function; a step scores by itself, and no one calls this."""
    raise AssertionError("a step scores its completions by itself")


def _anchor(model: torch.nn.Module) -> torch.Tensor:
    """Zero, with a gradient of zero for every trained parameter: where all groups were skipped the optimizer must
    still see gradients, or its momentum would stand still where it should run out."""
    if not torch.is_grad_enabled():
        return torch.zeros(())
    trained = [parameter.sum() * 0.0 for parameter in model.parameters() if parameter.requires_grad]
    return torch.stack(trained).sum()
