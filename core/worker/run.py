"""One run: load, resume where it stood, train, record, save."""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import astuple
from importlib.metadata import PackageNotFoundError, version

from core.errors import StopRequested
from core.installation import FINGERPRINTED
from core.models.locate import ModelSource, weight_bytes
from core.planning.resolved_run import resolve
from core.records.run import LoadPhase, Run, SyncChoice
from core.records.status import RunStatus
from core.settings import Settings
from core.store import Database
from core.store.rollouts.record import record_load_phase
from core.store.runs import lifecycle, queries
from core.tasks.task import Example, Task
from core.worker.checkpoints.files import TrainingState
from core.worker.checkpoints.retention import ResumePoint
from core.worker.checks.adapter_live import PROBE_PROMPTS, prove_live
from core.worker.checks.base_unchanged import BaseWatch
from core.worker.checks.packing_exact import Exactness, try_packing
from core.worker.dtype import compute_notice
from core.worker.heartbeat import Heartbeat
from core.worker.loading.estimate import expected_seconds
from core.worker.loading.load import Loaded, load_policy
from core.worker.loading.progress import Progress
from core.worker.recorder import RunRecorder
from core.worker.rollouts.examples import choose_examples, prompt_token_ids
from core.worker.training import prepare_training

log = logging.getLogger(__name__)


def train_run(database: Database, settings: Settings, run: Run, heartbeat: Heartbeat) -> None:
    """Takes a claimed run to completed or stopped. Every other end is an exception for the caller to explain."""
    config, folder = run.config, settings.run_folder(run.id)
    folder.mkdir(parents=True, exist_ok=True)
    resolved = resolve(settings, config)

    def record_phase(phase: LoadPhase) -> None:
        with database.writing() as connection:
            record_load_phase(connection, run.id, phase)

    def begin(phase: str) -> None:
        if heartbeat.stop_requested:
            raise StopRequested(f"Asked to end before {phase}.")
        heartbeat.enter(phase)

    progress = Progress(begin, record_phase, _expect(database, run, resolved.model))
    loaded = load_policy(resolved, progress)
    with progress.phase("hash base weights"):
        watch = BaseWatch(loaded.policy)
        recorder = RunRecorder(database, run.id, resolved, loaded, folder, heartbeat, watch)
    with progress.phase("prepare data"):
        recipe = resolved.task
        examples = choose_examples(recipe, config, loaded.tokenizer)
        found = recorder.checkpoints.newest()
        kept = recorder.checkpoints.load(found, loaded.policy)
        recorder.resumed_at(found.step)
    with progress.phase("try packing"), loaded.policy.disable_adapter():
        exactness = try_packing(loaded.policy.get_base_model(), config)
        log.info(exactness.reason)
    with progress.phase("prove adapter live"):
        prompts = [prompt_token_ids(example, loaded.tokenizer) for example in examples[:PROBE_PROMPTS]]
        proof = prove_live(loaded.policy, loaded.engine, prompts, config.seed, exactness.packed)
        log.info("Engine and trainer differ by %.3f, without the adapter %.3f", *astuple(proof))
    prints = fingerprints(recipe, examples, watch)
    training = prepare_training(
        loaded,
        config,
        recipe,
        examples,
        folder,
        recorder.on_step,
        keep_answers=recorder.on_answers,
        announce=heartbeat.enter,
        packed=exactness.packed,
        done=found.step,
        kept=kept,
    )
    recorder.state = lambda: training.trainer.state_to_keep(**prints)
    _open_record(database, run, loaded, exactness, found, kept, prints)
    try:
        if found.step < config.steps:
            training.run()
        heartbeat.enter("save")
        recorder.finish()
    finally:
        loaded.engine.close()


def fingerprints(recipe: Task, examples: Sequence[Example], watch: BaseWatch) -> dict[str, str]:
    """What a run's numbers depend on besides its config: the recipe's data and rewards, the base, the packages."""
    rewards = sorted((reward.name, reward.weight) for reward in recipe.rewards)
    data = hashlib.sha256(repr((rewards, [example.prompt for example in examples[:64]])).encode()).hexdigest()[:16]
    found = {"recipe": data, "base weights": watch.digest}
    for package in FINGERPRINTED:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _open_record(
    database: Database,
    run: Run,
    loaded: Loaded,
    exactness: Exactness,
    found: ResumePoint,
    kept: TrainingState | None,
    prints: dict[str, str],
) -> None:
    """What loading found out, where the run goes on, and that it now trains."""
    notices = [*loaded.lacking, *loaded.engine.notices, *found.damaged]
    if kept is not None:
        before = kept.values.get("fingerprints", {})
        changed = [
            f"{name} {was} is now {now}" for name, was in before.items() if (now := prints.get(name, "gone")) != was
        ]
        notices += [f"Not everything is as it was at the checkpoint: {', '.join(changed)}."] * bool(changed)
    for notice in notices:
        log.warning(notice)
    computing = compute_notice(loaded.policy.device)
    if computing:
        log.info(computing)
    with database.writing() as connection:
        lifecycle.update(connection, run.id, engine=loaded.engine.name)
        lifecycle.choose_sync(connection, run.id, SyncChoice(loaded.engine.adapter_sync, reason=loaded.engine.reason))
        lifecycle.add_facts(connection, run.id, packed=exactness.packed, packing=exactness.reason, fingerprints=prints)
        lifecycle.add_facts(connection, run.id, base_weights=prints["base weights"], base_weights_checked=found.step)
        lifecycle.add_event(connection, run.id, "note" if exactness.packed else "warning", exactness.reason, "worker")
        if computing:
            lifecycle.add_event(connection, run.id, "note", computing, "worker")
        for notice in notices:
            lifecycle.add_event(connection, run.id, "warning", notice, "worker")
        if run.attempt > 1:
            where = f"the checkpoint of step {found.step}" if found.step else "the start: there is no whole checkpoint"
            lifecycle.add_event(connection, run.id, "resumed", f"Attempt {run.attempt} goes on from {where}.", "worker")
        stopping = queries.get_run(connection, run.id).status is RunStatus.STOPPING
        if not stopping:
            lifecycle.move(connection, run.id, RunStatus.RUNNING, who="worker")
    if stopping:
        raise StopRequested("Asked to end before the first step.")


def _expect(database: Database, run: Run, source: ModelSource) -> dict[str, float]:
    """Seconds by load phase, noted with the run so that its page can show them."""
    size = source.known.parameters * 2 if source.known else weight_bytes(source)
    with database.writing() as connection:
        expected = expected_seconds(run.config, queries.earlier_loads(connection, run), source.folder, size)
        lifecycle.add_facts(connection, run.id, load_seconds=expected)
    return expected
