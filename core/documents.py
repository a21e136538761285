"""Runs and configs as JSON documents, and as the command that makes them: a contract that scripts rely on."""

import json
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from core.config import RunConfig
from core.errors import InvalidInput
from core.planner import MemoryPlan, advice_for
from core.records.run import Event, Run, Summary
from core.records.step import Step
from core.tasks.registry import compose


@dataclass(frozen=True)
class Brief:
    """A run in one line; what a version cannot read of a run is None, and `unreadable` says why."""

    run: str
    name: str
    state: str
    model: str | None
    recipe: str | None
    rank: int | None
    step: int
    steps: int | None
    reward: float | None
    created_at: float
    unreadable: str | None = None


def brief(run: Run) -> Brief:
    config = {} if run.unreadable else run.config.model_dump()
    return Brief(
        run=run.id,
        name=run.name,
        state=run.status.value,
        model=config.get("model"),
        recipe=config.get("recipe"),
        rank=config.get("rank"),
        step=run.step,
        steps=config.get("steps"),
        reward=run.reward,
        created_at=run.created_at,
        unreadable=str(run.unreadable.error()) if run.unreadable else None,
    )


def summary_json(summary: Summary) -> dict[str, Any]:
    run = summary.run
    document: dict[str, Any] = {
        "run": run.id,
        "state": run.status.value,
        "steps": run.step,
        "completions": summary.completions,
        "reward_first": summary.reward_first,
        "reward_last": summary.reward_last,
        "wall_seconds": round(summary.wall_seconds, 3),
        "tokens_per_second": round(summary.tokens_per_second, 1),
        "phase_seconds": {name: round(seconds, 3) for name, seconds in summary.phase_seconds.items()},
        "adapter_path": run.adapter_path or None,
    }
    if run.failure is not None:
        document["failure"] = asdict(run.failure)
    return document


def detail_json(summary: Summary, events: Sequence[Event]) -> dict[str, Any]:
    run = summary.run
    document = {
        **summary_json(summary),
        "name": run.name,
        "engine": run.engine,
        "phase": run.phase,
        "facts": dict(run.facts),
        "config": None if run.unreadable else run.config.model_dump(mode="json"),
        "events": [asdict(event) for event in events],
    }
    if run.unreadable:
        document["unreadable"] = {"why": str(run.unreadable.error()), "stored": dict(run.unreadable.raw)}
    return document


def steps_json(steps: Sequence[Step]) -> list[dict[str, Any]]:
    return [
        {
            "step": step.number,
            "at": step.at,
            "metrics": dict(step.metrics),
            "seconds": dict(step.seconds),
            "memory": dict(step.memory),
        }
        for step in steps
    ]


def plan_json(planned: MemoryPlan) -> dict[str, Any]:
    """A plan with what to change where it does not fit."""
    return {**planned.to_json(), "advice": list(advice_for(planned))}


def command_line(config: RunConfig, tasks: Path | None = None, name: str = "", insist: bool = False) -> str:
    """The command that launches a run of exactly this config: what differs from the recipe's own is set.

    tasks  the folder of saved tasks"""
    own = compose(config.recipe, config.model, config.gpu, {}, tasks).model_dump(mode="json")
    chosen = {field: value for field, value in config.model_dump(mode="json").items() if value != own[field]}
    words = ["grouper", "launch", "--recipe", config.recipe, "--model", config.model, "--gpu", config.gpu]
    for field in ("rank", "steps"):
        if field in chosen:
            words += [f"--{field}", str(chosen.pop(field))]
    for field, value in chosen.items():
        words += ["--set", f"{field}={_as_json(value)}"]
    words += ["--name", name] if name else []
    return shlex.join(words + ["--insist"] * insist)


def config_json(config: RunConfig) -> str:
    """A config to copy and to import again."""
    return to_json(config.model_dump(mode="json"))


def read_config_json(text: str) -> dict[str, Any]:
    """The fields in a pasted config, or in a run as `grouper show --json` prints it. Raises InvalidInput."""
    try:
        found = json.loads(text)
    except ValueError:
        raise InvalidInput("JSON", text, "which cannot be read", "paste what Copy gave, whole") from None
    if isinstance(found, dict) and isinstance(found.get("config"), dict):
        found = found["config"]
    if not isinstance(found, dict):
        raise InvalidInput("JSON", text, "which is not an object of settings", "paste what Copy gave, whole")
    return found


def _as_json(value: Any) -> str:
    """A value as `--set` reads it back: text that would be read as something else is quoted."""
    if not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    try:
        json.loads(value)
    except ValueError:
        return value
    return json.dumps(value, ensure_ascii=False)


def to_json(document: Any) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2)
