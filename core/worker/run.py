"""One run: load, resume where it stood, train, record, save."""

import logging
from dataclasses import astuple

from core.planning.resolved_run import resolve
from core.records.run import Run
from core.settings import Settings
from core.store import Database
from core.worker.checks.adapter_live import PROBE_PROMPTS, prove_live
from core.worker.checks.base_unchanged import BaseWatch
from core.worker.checks.packing_exact import try_packing
from core.worker.heartbeat import Heartbeat
from core.worker.loading.load import load_policy
from core.worker.opening import fingerprints, keep_task, open_record, open_scoring, recorded_progress
from core.worker.recorder import RunRecorder
from core.worker.rollouts.examples import choose_examples, prompt_token_ids
from core.worker.training import prepare_training

log = logging.getLogger(__name__)


def train_run(database: Database, settings: Settings, run: Run, heartbeat: Heartbeat) -> None:
    """Takes a claimed run to completed or stopped. Every other end is an exception for the caller to explain."""
    config, folder = run.config, settings.run_folder(run.id)
    folder.mkdir(parents=True, exist_ok=True)
    resolved = resolve(settings, config)
    task, scoring = resolved.task, open_scoring(resolved.task, settings)
    keep_task(config.recipe, settings, folder)
    progress = recorded_progress(database, run, resolved.model, heartbeat)
    loaded = load_policy(resolved, progress)
    with progress.phase("hash base weights"):
        watch = BaseWatch(loaded.policy)
        recorder = RunRecorder(database, run.id, resolved, loaded, folder, heartbeat, watch)
    with progress.phase("prepare data"):
        examples = choose_examples(task, config, loaded.tokenizer)
        start = recorder.checkpoints.newest()
        kept = recorder.checkpoints.load(start, loaded.policy)
        recorder.resumed_at(start.step)
    with progress.phase("try packing"), loaded.policy.disable_adapter():
        exactness = try_packing(loaded.policy.get_base_model(), config)
        log.info(exactness.reason)
    with progress.phase("prove adapter live"):
        prompts = [prompt_token_ids(example, loaded.tokenizer) for example in examples[:PROBE_PROMPTS]]
        proof = prove_live(loaded.policy, loaded.engine, prompts, config.seed, exactness.packed)
        log.info("Engine and trainer differ by %.3f, without the adapter %.3f", *astuple(proof))
    prints = fingerprints(task, examples, watch)
    training = prepare_training(
        loaded,
        config,
        task,
        examples,
        folder,
        recorder.on_step,
        scoring=scoring,
        keep_answers=recorder.on_answers,
        announce=heartbeat.enter,
        packed=exactness.packed,
        done=start.step,
        kept=kept,
    )
    recorder.state = lambda: training.trainer.state_to_keep(**prints)
    open_record(database, run, loaded, exactness, start, kept, prints, scoring)
    try:
        if start.step < config.steps:
            training.run()
        heartbeat.enter("save")
        recorder.finish()
    finally:
        loaded.engine.close()
