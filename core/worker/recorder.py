"""A run's record while it trains: a transaction a step, a checkpoint now and then, the final status."""

import logging
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from core.errors import RunError
from core.insights.known_failures import known_failure
from core.planning.resolved_run import ResolvedRun
from core.records.evaluation import EvaluationPrompt
from core.records.run import Checkpoint
from core.records.status import RunStatus
from core.records.step import Step
from core.store import Database
from core.store.rollouts.evaluation import record_answers
from core.store.rollouts.record import record_checkpoint, record_step
from core.store.runs import lifecycle, queries
from core.worker.checkpoints.files import TrainingState, save_adapter
from core.worker.checkpoints.retention import Checkpoints
from core.worker.checks.adapter_live import MismatchMonitor
from core.worker.checks.base_unchanged import BaseWatch
from core.worker.checks.scores_missing import ScoresWatch
from core.worker.heartbeat import Heartbeat
from core.worker.loading.load import Loaded
from core.worker.retry import RetryingWriter

log = logging.getLogger(__name__)


class RunRecorder:
    """Stores what training hands it.

    state  called for what a checkpoint holds besides the adapter
    """

    def __init__(
        self,
        database: Database,
        run_id: str,
        run: ResolvedRun,
        loaded: Loaded,
        folder: Path,
        heartbeat: Heartbeat,
        base: BaseWatch,
    ) -> None:
        self._run_id, self._config = run_id, run.config
        self._loaded, self._folder, self._heartbeat = loaded, folder, heartbeat
        self._watch, self._scores, self._base = MismatchMonitor(), ScoresWatch(), base
        self._store = RetryingWriter(database, run_id, heartbeat)
        self._step = 0
        self._reward: float | None = None
        self._base_name = run.model.hub_id or str(run.model.folder)
        self.checkpoints = Checkpoints(folder / "checkpoints", run.config.save_total_limit, self._base_name)
        self._saved = -1
        self.state: Callable[[], TrainingState] = lambda: TrainingState({}, {})

    def resumed_at(self, step: int) -> None:
        """The record goes on after this step; what was sampled beyond it will be sampled again."""
        self._step = self._saved = step

    def on_step(self, step: Step) -> bool:
        """Stores a step; True when the run should end after it."""
        self._store.write(lambda connection: self._record(connection, step))
        refuse_nonsense(step)
        self._watch.check(step.metrics.get("mismatch/mean"))
        self._scores.check(step)
        self._step, self._reward = step.number, step.metrics.get("reward")
        self._say(step)
        if step.number % self._config.save_steps == 0 and step.number < self._config.steps:
            self._heartbeat.enter("checkpoint")
            self._checkpoint()
        return self._heartbeat.stop_requested

    def on_answers(self, answers: Sequence[EvaluationPrompt]) -> None:
        """Stores the greedy answers to the fixed prompts."""
        self._store.write(lambda connection: record_answers(connection, self._run_id, answers))

    def _record(self, connection: Any, step: Step) -> None:
        if not record_step(connection, self._run_id, step):
            message = f"Step {step.number} was sampled again after resuming and came out differently."
            lifecycle.add_event(connection, self._run_id, "warning", message, "worker")

    def finish(self) -> None:
        """Saves the adapter where people look for it and gives the run its final status."""
        if self._saved != self._step:
            self._checkpoint()
        adapter = self._folder / "adapter"
        self._store.until_done(lambda: save_adapter(self._loaded.policy, adapter, self._base_name))
        self._store.write(lambda connection: self._end(connection, adapter))

    def _end(self, connection: Any, adapter: Path) -> None:
        lifecycle.update(connection, self._run_id, adapter_path=str(adapter))
        status = queries.get_run(connection, self._run_id).status
        done = self._step >= self._config.steps
        if not done and status is RunStatus.RUNNING:  # asked to end by a signal, not through the store
            lifecycle.request_stop(connection, self._run_id, "signal")
        lifecycle.move(connection, self._run_id, RunStatus.COMPLETED if done else RunStatus.STOPPED, who="worker")

    def _checkpoint(self) -> None:
        """An adapter is only worth keeping while the model it belongs to is what it was."""
        self._base.check()
        state = self.state()
        made = self._store.until_done(
            lambda: self.checkpoints.write(self._step, self._reward, self._loaded.policy, state)
        )
        self._saved = self._step
        self.checkpoints.remove(self._store.write(lambda connection: self._record_checkpoint(connection, made)))

    def _record_checkpoint(self, connection: Any, made: Checkpoint) -> list[Checkpoint]:
        """Stores the checkpoint; the answer is those that need not be kept any longer."""
        known = [one for one in queries.list_checkpoints(connection, self._run_id) if one.step != made.step]
        gone = self.checkpoints.surplus([*known, made])
        record_checkpoint(connection, self._run_id, made, forget=[one.step for one in gone])
        lifecycle.add_facts(connection, self._run_id, base_weights_checked=self._step)
        return gone

    def _say(self, step: Step) -> None:
        log.info(
            "step %d/%d reward %.3f generate %.2f s sync %.2f s update %.2f s",
            step.number,
            self._config.steps,
            self._reward if self._reward is not None else float("nan"),
            *(step.seconds.get(phase, 0.0) for phase in ("generate", "sync", "update")),
        )


def refuse_nonsense(step: Step) -> None:
    """Raises RunError when the update was not made of numbers: whatever follows would only be noise."""
    for name in ("loss", "grad_norm"):
        value = step.metrics.get(name)
        if value is not None and not math.isfinite(value):
            known = known_failure("diverged")
            raise RunError(known.kind, f"{known.title}: {name} of step {step.number} is {value}.", known.general)
