"""One run: load, train, record, save."""

import logging
import shutil
import time
from dataclasses import astuple
from pathlib import Path

from core.catalogue import load_catalogue
from core.config import RunConfig
from core.errors import StopRequested
from core.models import locate, weight_bytes
from core.recipes import get_recipe
from core.runs import Checkpoint, LoadPhase, Run, RunStatus
from core.settings import Settings
from core.store import Database, browsing, lifecycle, recording
from core.worker.base_watch import BaseWatch
from core.worker.loading import Loaded, Progress, load_policy
from core.worker.loading.estimate import expected_seconds
from core.worker.proof import PROBE_PROMPTS, StepWatch, prove_live
from core.worker.pulse import Pulse
from core.worker.saving import save_adapter
from core.worker.training.data import choose_examples, prompt_token_ids
from core.worker.training.exactness import try_packing
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

    def begin(phase: str) -> None:
        if pulse.stop_requested:
            raise StopRequested(f"Asked to end before {phase}.")
        pulse.phase(phase)

    progress = Progress(begin, note, _expect(database, settings, run))
    loaded = load_policy(config, settings, progress)
    with progress.phase("hash base weights"):
        watch = BaseWatch(loaded.policy)
    with progress.phase("prepare data"):
        recipe = get_recipe(config.recipe)
        examples = choose_examples(recipe, config, loaded.tokenizer)
    with progress.phase("try packing"), loaded.policy.disable_adapter():
        exactness = try_packing(loaded.policy.get_base_model(), config)
        log.info(exactness.reason)
    with progress.phase("prove adapter live"):
        prompts = [prompt_token_ids(example, loaded.tokenizer) for example in examples[:PROBE_PROMPTS]]
        proof = prove_live(loaded.policy, loaded.engine, prompts, config.seed, exactness.packed)
        log.info("engine and trainer differ by %.3f, without the adapter %.3f", *astuple(proof))
    book = RunBook(database, run.id, config, loaded, folder, pulse, watch)
    trainer = PolicyTrainer(loaded, config, recipe, examples, folder, pulse.phase, book.on_step, exactness.packed)
    if loaded.engine.notice:
        log.warning(loaded.engine.notice)
    with database.writing() as connection:
        lifecycle.update(connection, run.id, engine=loaded.engine.name)
        lifecycle.note(connection, run.id, packed=exactness.packed, packing=exactness.reason)
        lifecycle.note(connection, run.id, base_weights=watch.digest, base_weights_checked=0)
        lifecycle.add_event(connection, run.id, "note" if exactness.packed else "warning", exactness.reason, "worker")
        if loaded.engine.notice:
            lifecycle.add_event(connection, run.id, "warning", loaded.engine.notice, "worker")
        if browsing.get_run(connection, run.id).status is RunStatus.STOPPING:  # asked to end while it was loading
            raise StopRequested("Asked to end before the first step.")
        lifecycle.move(connection, run.id, RunStatus.RUNNING, who="worker")
    try:
        trainer.train()
        pulse.phase("save")
        book.finish()
    finally:
        loaded.engine.close()


def _expect(database: Database, settings: Settings, run: Run) -> dict[str, float]:
    """Seconds by load phase, noted with the run so that its page can show them."""
    source = locate(run.config.model, load_catalogue(), settings.models)
    size = source.known.parameters * 2 if source.known else weight_bytes(source)
    with database.writing() as connection:
        expected = expected_seconds(run.config, browsing.earlier_loads(connection, run), source.folder, size)
        lifecycle.note(connection, run.id, load_seconds=expected)
    return expected


class RunBook:
    """Keeps the run's record: a transaction a step, a checkpoint now and then, the final status."""

    def __init__(
        self,
        database: Database,
        run_id: str,
        config: RunConfig,
        loaded: Loaded,
        folder: Path,
        pulse: Pulse,
        base: BaseWatch,
    ) -> None:
        self._database, self._run_id, self._config = database, run_id, config
        self._loaded, self._folder, self._pulse = loaded, folder, pulse
        self._step = 0
        self._watch, self._base = StepWatch(), base
        self._reward: float | None = None
        source = locate(config.model, load_catalogue(), folder.parent.parent / "models")
        self._base_name = source.hub_id or str(source.folder)

    def on_step(self, sampled: SampledStep) -> bool:
        """Stores a step; True when the run should end after it."""
        assert sampled.step is not None
        step = sampled.step
        with self._database.writing() as connection:
            recording.record_step(connection, self._run_id, step)
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
        self._checkpoint()
        save_adapter(self._loaded.policy, adapter, self._base_name)
        with self._database.writing() as connection:
            lifecycle.update(connection, self._run_id, adapter_path=str(adapter))
            status = browsing.get_run(connection, self._run_id).status
            done = self._step >= self._config.steps
            if not done and status is RunStatus.RUNNING:  # asked to end by a signal, not through the store
                status = lifecycle.request_stop(connection, self._run_id, "signal")
            lifecycle.move(connection, self._run_id, RunStatus.COMPLETED if done else RunStatus.STOPPED, who="worker")

    def _checkpoint(self) -> None:
        """An adapter is only worth keeping while the model it belongs to is what it was."""
        self._base.check()
        folder = self._folder / "checkpoints" / f"step-{self._step:06d}"
        digest = save_adapter(self._loaded.policy, folder, self._base_name)
        with self._database.reading() as connection:
            known = browsing.list_checkpoints(connection, self._run_id)
        keep = self._config.save_total_limit - 1
        old = known[: max(0, len(known) - keep)]
        checkpoint = Checkpoint(self._step, str(folder), digest, self._reward, time.time())
        with self._database.writing() as connection:
            recording.record_checkpoint(connection, self._run_id, checkpoint, forget=[gone.step for gone in old])
            lifecycle.note(connection, self._run_id, base_weights_checked=self._step)
        for gone in old:
            shutil.rmtree(gone.path, ignore_errors=True)
