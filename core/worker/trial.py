"""`python -m core.worker.trial`: two steps of the run whose config is on stdin, kept nowhere but in what it prints.

Prints JSON lines: {"phase": NAME} as each phase begins, and at last {"trial": ...} as `core.records.trial` has it, or
{"error": [message, remedy]}. Everything else that anybody prints goes to stderr.
"""

import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.config import RunConfig, make_config
from core.errors import StopRequested
from core.planning.resolved_run import resolve
from core.records.step import Step
from core.records.trial import Trial, trial_json
from core.settings import Settings, load_settings, set_engine_environment
from core.tasks.advantages import is_flat
from core.worker.failures import explain

STEPS = 2
Say = Callable[[dict[str, Any]], None]


def main() -> None:
    lines = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)  # vLLM and others print where they like
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)

    def say(line: dict[str, Any]) -> None:
        lines.write(json.dumps(line) + "\n")

    try:
        asked = make_config(json.load(sys.stdin))
        set_engine_environment(asked.kv_cache_gib)
        say({"trial": trial_json(_tried(load_settings(), asked, say))})
    except (Exception, StopRequested) as error:
        failure = explain(error, "trial")
        logging.error("%s", failure.message, exc_info=error)
        say({"error": [failure.message, failure.remedy]})


def _tried(settings: Settings, asked: RunConfig, say: Say) -> Trial:
    from core.worker.checks.packing_exact import try_packing
    from core.worker.loading.load import load_policy
    from core.worker.loading.progress import Progress
    from core.worker.opening import open_scoring
    from core.worker.rollouts.examples import choose_examples
    from core.worker.training import prepare_training

    began, steps = time.perf_counter(), list[Step]()
    run = resolve(settings, asked.model_copy(update={"steps": STEPS, "save_steps": STEPS, "evaluate_every": 0}))
    scoring = open_scoring(run.task, settings)
    loaded = load_policy(run, Progress(lambda phase: say({"phase": phase}), lambda done: None))
    try:
        say({"phase": "prepare data"})
        examples = choose_examples(run.task, run.config, loaded.tokenizer)
        with loaded.policy.disable_adapter():
            packed = try_packing(loaded.policy.get_base_model(), run.config).packed
        ready = time.perf_counter() - began

        def keep(step: Step) -> bool:
            steps.append(step)
            return False

        with tempfile.TemporaryDirectory(prefix="grouper-trial-") as folder:
            prepare_training(
                loaded,
                run.config,
                run.task,
                examples,
                Path(folder),
                keep,
                scoring=scoring,
                announce=lambda phase: say({"phase": phase}),
                packed=packed,
            ).run()
    finally:
        loaded.engine.close()
    first, last = steps[0], steps[-1]
    rewards = [one.reward for group in first.groups for one in group.completions]
    known = [value for value in rewards if value is not None]
    flat = [is_flat([one.reward for one in group.completions]) for group in first.groups]
    return Trial(
        groups=first.groups,
        spread=1 - sum(flat) / len(flat),
        reward=sum(known) / len(known) if known else None,
        unscored=len(rewards) - len(known),
        load_seconds=ready,
        step_seconds=dict(last.seconds),
        steps=asked.steps,
        engine=loaded.engine.name,
        sandbox=scoring.level.name if scoring.level else "",
    )


if __name__ == "__main__":
    main()
