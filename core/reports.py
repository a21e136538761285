"""Runs as JSON documents and as lines of text, for the command line."""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from core.budget import Plan
from core.config import RunConfig
from core.errors import InvalidInput
from core.recipes import compose
from core.runs import Completion, Event, Run, Step, Summary
from core.units import duration, gib, parameters, plural, significant, thin


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


def brief_text(line: Brief) -> str:
    reward = "-" if line.reward is None else significant(line.reward)
    state, steps = ("unreadable", "?") if line.unreadable else (line.state, line.steps)
    return f"{line.run}  {state:<10}  {line.step:>5}/{steps:<5}  reward {reward:<6}  {line.name}"


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


def summary_text(summary: Summary) -> str:
    run = summary.run
    steps = f"{run.step} steps" if run.unreadable else f"{run.step} of {run.config.steps} steps"
    lines = [
        f"Run {run.id} ({run.name}): {run.status}, {steps}, "
        f"{thin(summary.completions)} completions in {duration(summary.wall_seconds)}"
    ]
    if summary.reward_first is not None and summary.reward_last is not None:
        lines.append(
            f"Mean reward {significant(summary.reward_first)} in the first five steps, "
            f"{significant(summary.reward_last)} in the last five"
        )
    if summary.tokens_per_second:
        lines.append(f"{thin(round(summary.tokens_per_second))} tokens a second while sampling, engine {run.engine}")
    slowest = sorted(summary.phase_seconds.items(), key=lambda item: -item[1])[:6]
    lines.append("Time: " + ", ".join(f"{name} {duration(seconds)}" for name, seconds in slowest))
    if run.adapter_path:
        lines.append(f"Adapter: {run.adapter_path}")
    if run.failure is not None:
        lines.append(f"{run.failure.message} {run.failure.remedy}")
    if run.unreadable:
        lines.append(str(run.unreadable.error()))
    return "\n".join(lines)


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


def detail_text(summary: Summary, events: Sequence[Event], advisories: Sequence[Mapping[str, Any]] = ()) -> str:
    advice = [f"! {found['title']}: {found['evidence']} {found['remedy']}" for found in advisories]
    return "\n".join([summary_text(summary), *advice, *(f"  {event.kind}: {event.message}" for event in events)])


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


def step_text(step: Step) -> str:
    reward = step.metrics.get("reward")
    seconds = ", ".join(f"{name} {duration(value)}" for name, value in step.seconds.items())
    peak = max(step.memory.values(), default=0)
    shown = "-" if reward is None else significant(reward)
    return f"step {step.number}: reward {shown}; {seconds}; peak {gib(peak)}"


def completion_text(completion: Completion) -> str:
    reward = "unscored" if completion.reward is None else significant(completion.reward)
    head = (
        f"step {completion.step} group {completion.group} completion {completion.index}: "
        f"reward {reward}, advantage {significant(completion.advantage)}, {completion.finish_reason}"
    )
    return f"{head}\n{_printable(completion.text)}"


def plan_text(plan: Plan) -> str:
    """The plan as a table: the verdict, one block a phase, the advice last."""
    lines = [f"{plan.model} ({parameters(plan.geometry.parameters)}) on {plan.gpu.name}", plan.sentence + "."]
    for phase in plan.phases:
        lines.append(f"{phase.name}: {gib(phase.total_bytes)}")
        lines += [f"  {gib(line.bytes):>10}  {line.name:<18} {line.formula}" for line in phase.lines]
    cache = plan.kv_cache
    lines.append(
        f"KV cache: {cache.blocks:,} blocks of {cache.block_tokens} tokens, {thin(cache.tokens)} tokens, "
        f"{plural(cache.full_length_sequences, 'full-length sequence')} at once"
    )
    return "\n".join([*lines, *plan.advice])


def check_text(found: Mapping[str, Any]) -> str:
    rows = [
        f"{row['error']:+7.2%}  {gib(row['predicted_bytes']):>9} of {gib(row['measured_bytes']):>9}  {row['model']}"
        for row in found["rows"]
    ]
    return "\n".join([*rows, f"mean {found['mean_abs_error']:.2%}, largest {found['max_abs_error']:.2%}"])


def check_line(check: Any) -> str:
    """One of the doctor's checks as a line, with its remedy below where there is one."""
    seconds = f" ({duration(check.seconds)})" if check.seconds >= 0.1 else ""
    remedy = f"\n{'':10}{check.remedy}" if check.remedy and check.state in ("warning", "failed") else ""
    return f"{check.state:<8}  {check.name}: {check.message}{seconds}{remedy}"


def progress_line(run: Run, step_seconds: float | None) -> str:
    """Where a run is, with the time left once a step's seconds are known."""
    if run.step == 0:
        return f"{run.status}: {run.phase or 'waiting for the device'}"
    reward = "-" if run.reward is None else significant(run.reward)
    line = f"{run.status}: step {run.step}/{run.config.steps}, reward {reward}"
    if step_seconds is None:
        return line
    return f"{line}, about {duration(step_seconds * (run.config.steps - run.step))} left"


def command_line(config: RunConfig, name: str = "", insist: bool = False) -> str:
    """The command that launches a run of exactly this config: what differs from the recipe's own is set."""
    own = compose(config.recipe, config.model, config.gpu, {}).model_dump(mode="json")
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


def _printable(text: str) -> str:
    """Sampled text for a terminal: control characters become visible and can do nothing to it."""
    return "".join(
        character if character in "\n\t" or character.isprintable() else f"\\x{ord(character):02x}"
        for character in text
    )
