"""Short real runs of a tiny model, and all that they leave."""

from pathlib import Path
from typing import Any

from engine_support import grouper
from faults_support import newest

from core.records.run import Run
from core.settings import Settings, load_settings
from core.store import open_database
from core.store.rollouts.load import list_groups
from core.store.runs import lifecycle, queries
from core.tasks.registry import compose

STEPS, BATCH = 12, 8
VALUES: dict[str, Any] = {
    "steps": STEPS, "rank": 8, "fast_inference": "off", "group_size": 4, "prompts_per_step": BATCH // 4,
    "prompt_tokens": 200, "completion_tokens": 16, "save_steps": 3, "lr_scheduler_type": "cosine", "warmup_steps": 2,
    "temperature": 1.2,
}  # fmt: skip


def start(home: Path, model: Path, by_web: bool = False, **changes: Any) -> tuple[Settings, Run]:
    """Launches a run through the command line, or queues it for a dashboard to start."""
    settings = load_settings({"GROUPER_HOME": str(home)})
    if by_web:
        database = open_database(settings.database_url)
        with database.writing() as connection:
            run = lifecycle.enqueue(connection, compose("addition", str(model), "cpu", {**VALUES, **changes}))
        database.close()
        return settings, run
    assignments = [part for name, value in {**VALUES, **changes}.items() for part in ("--set", f"{name}={value}")]
    result = grouper(home, "launch", "--recipe", "addition", "--model", str(model), "--gpu", "cpu", *assignments)
    assert result.returncode == 0, result.stderr
    return settings, newest(settings)


def resume(settings: Settings, run: Run, *more: str) -> None:
    result = grouper(settings.home, "resume", run.id, *more)
    assert result.returncode == 0, result.stderr


def contents(settings: Settings, run: Run, adapter: bool = True) -> dict[str, Any]:
    """All that a run leaves, without times, memory and the seconds things took."""
    database = open_database(settings.database_url)
    with database.reading() as connection:
        steps = queries.list_steps(connection, run.id)
        groups = [list_groups(connection, run.id, step.number, with_tokens=True) for step in steps]
    database.close()
    file = settings.run_folder(run.id) / "adapter" / "adapter_model.safetensors"
    return {
        "steps": [step.number for step in steps],
        "metrics": [dict(step.metrics) for step in steps],
        "sampled": [
            (group.prompt, one.text, one.token_ids, one.logprobs, one.reward, one.advantage)
            for each in groups
            for group in each
            for one in group.completions
        ],
        **({"adapter": file.read_bytes()} if adapter else {}),
    }
