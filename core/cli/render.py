"""Records as lines of text for a terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from core.documents import Brief
from core.planner import MemoryPlan, advice_for
from core.records.rollout import Completion, RewardScore
from core.records.run import Event, Run, Summary
from core.records.step import Step
from core.records.trial import Trial
from core.units import duration, gib, parameters, plural, significant, thin


def brief_text(line: Brief) -> str:
    reward = "-" if line.reward is None else significant(line.reward)
    state, steps = ("unreadable", "?") if line.unreadable else (line.state, line.steps)
    return f"{line.run}  {state:<10}  {line.step:>5}/{steps:<5}  reward {reward:<6}  {line.name}"


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


def detail_text(summary: Summary, events: Sequence[Event], advisories: Sequence[Mapping[str, Any]] = ()) -> str:
    advice = [f"! {found['title']}: {found['evidence']} {found['remedy']}" for found in advisories]
    return "\n".join([summary_text(summary), *advice, *(f"  {event.kind}: {event.message}" for event in events)])


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


def trial_text(trial: Trial, price: float) -> str:
    """Every completion with its scores, then what a run would take."""
    lines = []
    for group in trial.groups:
        lines.append(f"prompt {group.index + 1}: {_printable(group.prompt)}")
        for one in group.completions:
            scores = ", ".join(f"{score.function} {_score_text(score)}" for score in one.scores)
            reward = "unscored" if one.reward is None else significant(one.reward)
            lines.append(
                f"  reward {reward} ({scores}), advantage {significant(one.advantage)}: {_printable(one.text)}"
            )
    seconds = ", ".join(f"{name} {duration(value)}" for name, value in trial.step_seconds.items())
    mean = "-" if trial.reward is None else significant(trial.reward)
    lines.append(f"Mean reward {mean}; {trial.spread:.0%} of the groups have a spread; {trial.unscored} unscored.")
    lines.append(f"A step takes {duration(sum(trial.step_seconds.values()))} ({seconds}), engine {trial.engine}.")
    lines.append(f"{thin(trial.steps)} steps would take {duration(trial.run_seconds)}.")
    if price:
        lines[-1] += f" At {significant(price)} an hour they would cost {significant(trial.cost(price))}."
    if trial.sandbox:
        lines.append(f"Functions of your own ran under: {trial.sandbox}.")
    return "\n".join(lines)


def _score_text(score: RewardScore) -> str:
    if score.value is not None:
        return significant(score.value)
    return score.error or "does not apply"


def plan_text(plan: MemoryPlan) -> str:
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
    return "\n".join([*lines, *advice_for(plan)])


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


def _printable(text: str) -> str:
    """Sampled text for a terminal: control characters become visible and can do nothing to it."""
    return "".join(
        character if character in "\n\t" or character.isprintable() else f"\\x{ord(character):02x}"
        for character in text
    )
