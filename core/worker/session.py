"""One run: load, train, record, save."""

import logging
import shutil
import time
from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path

from core.catalogue import load_catalogue
from core.config import RunConfig
from core.models import locate
from core.recipes import get_recipe
from core.runs import Checkpoint, LoadPhase, Run, RunStatus, SyncChoice
from core.settings import Settings
from core.store import Database, browsing, lifecycle, recording
from core.worker.loading import Loaded, Progress, load_policy
from core.worker.proof import PROBE_PROMPTS, StepWatch, prove_live
from core.worker.pulse import Pulse
from core.worker.saving import save_adapter
from core.worker.training.data import choose_examples, prompt_token_ids
from core.worker.training.stepping import SampledStep
from core.worker.training.trainer import PolicyTrainer

log = logging.getLogger(__name__)


def train_run(database: Database, settings: Settings, run: Run, pulse: Pulse) -> None:
    """Takes a claimed run to completed or stopped. Every other end is an exception for the caller to explain."""
    config, folder = run.config, settings.run_folder(run.id)
    folder.mkdir(parents=True, exist_ok=True)

    def note(phase: LoadPhase) -> None:
        with database.writing() as connection:
            recording.record_load_phase(connection, run.id, phase)

    progress = Progress(pulse.phase, note)
    loaded = load_policy(config, settings, progress)
    with progress.phase("prepare data"):
        recipe = get_recipe(config.recipe)
        examples = choose_examples(recipe, config, loaded.tokenizer)
    with progress.phase("prove adapter live"):
        prompts = [prompt_token_ids(example, loaded.tokenizer) for example in examples[:PROBE_PROMPTS]]
        for way in reversed(loaded.engine.ways):  # the first, with which training starts, last
            loaded.engine.use(way)
            proof = prove_live(loaded.policy, loaded.engine, prompts, config.seed)
            log.info("%s: engine and trainer differ by %.3f, without the adapter %.3f", way, *astuple(proof))
    book = RunBook(database, run.id, config, loaded, folder, pulse)
    trainer = PolicyTrainer(loaded, config, recipe, examples, folder, pulse.phase, book.on_step)
    book.follow(lambda: trainer.sync_choice)
    if loaded.engine.notice:
        log.warning(loaded.engine.notice)
    with database.writing() as connection:
        lifecycle.update(connection, run.id, engine=loaded.engine.name)
        if loaded.engine.notice:
            lifecycle.add_event(connection, run.id, "warning", loaded.engine.notice, "worker")
        if browsing.get_run(connection, run.id).status is RunStatus.STOPPING:  # asked to end while it was loading
            lifecycle.move(connection, run.id, RunStatus.STOPPED, who="worker")
            loaded.engine.close()
            return
        lifecycle.move(connection, run.id, RunStatus.RUNNING, who="worker")
    try:
        trainer.train()
        pulse.phase("save")
        book.finish()
    finally:
        loaded.engine.close()


class RunBook:
    """Keeps the run's record: a transaction a step, a checkpoint now and then, the final status."""

    def __init__(
        self, database: Database, run_id: str, config: RunConfig, loaded: Loaded, folder: Path, pulse: Pulse
    ) -> None:
        self._database, self._run_id, self._config = database, run_id, config
        self._loaded, self._folder, self._pulse = loaded, folder, pulse
        self._step = 0
        self._watch = StepWatch()
        self._reward: float | None = None
        self._choice: Callable[[], SyncChoice | None] = lambda: None
        source = locate(config.model, load_catalogue(), folder.parent.parent / "models")
        self._base_name = source.hub_id or str(source.folder)

    def follow(self, choice: Callable[[], SyncChoice | None]) -> None:
        """Where to look for how the adapter reaches the engine; noted once, when it is settled."""
        self._choice = choice

    def on_step(self, sampled: SampledStep) -> bool:
        """Stores a step; True when the run should end after it."""
        assert sampled.step is not None
        step = sampled.step
        with self._database.writing() as connection:
            recording.record_step(connection, self._run_id, step)
            if (choice := self._choice()) is not None:
                lifecycle.choose_sync(connection, self._run_id, choice)
                log.info("Adapter sync: %s", choice.sentence)
                self._choice = lambda: None
        self._watch.check(step.metrics.get("mismatch/mean"))
        self._step, self._reward = step.number, step.metrics.get("reward")
        log.info(
            "step %d/%d reward %.3f generate %.2f s sync %.2f s update %.2f s",
            step.number,
            self._config.steps,
            self._reward if self._reward is not None else float("nan"),
            *(step.seconds.get(phase, 0.0) for phase in ("generate", "sync", "update")),
        )
        if step.number % self._config.save_steps == 0 and step.number < self._config.steps:
            self._pulse.phase("checkpoint")
            self._checkpoint()
        return self._pulse.stop_requested

    def finish(self) -> None:
        """Saves the adapter where people look for it and gives the run its final status."""
        adapter = self._folder / "adapter"
        save_adapter(self._loaded.policy, adapter, self._base_name)
        self._checkpoint()
        with self._database.writing() as connection:
            lifecycle.update(connection, self._run_id, adapter_path=str(adapter))
            status = browsing.get_run(connection, self._run_id).status
            done = self._step >= self._config.steps
            if not done and status is RunStatus.RUNNING:  # asked to end by a signal, not through the store
                status = lifecycle.request_stop(connection, self._run_id, "signal")
            lifecycle.move(connection, self._run_id, RunStatus.COMPLETED if done else RunStatus.STOPPED, who="worker")

    def _checkpoint(self) -> None:
        folder = self._folder / "checkpoints" / f"step-{self._step:06d}"
        digest = save_adapter(self._loaded.policy, folder, self._base_name)
        with self._database.reading() as connection:
            known = browsing.list_checkpoints(connection, self._run_id)
        keep = self._config.save_total_limit - 1
        old = known[: max(0, len(known) - keep)]
        checkpoint = Checkpoint(self._step, str(folder), digest, self._reward, time.time())
        with self._database.writing() as connection:
            recording.record_checkpoint(connection, self._run_id, checkpoint, forget=[gone.step for gone in old])
        for gone in old:
            shutil.rmtree(gone.path, ignore_errors=True)
