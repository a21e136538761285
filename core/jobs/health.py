"""What a run's own figures say is going wrong: the evidence, and from core/data/known_failures.toml the cause and
what to do.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import fmean, pstdev

from core import planner
from core.errors import GrouperError
from core.insights.known_failures import known_failure
from core.planning.resolved_run import ResolvedRun, resolve
from core.planning.run_plan import preview
from core.records.run import Run
from core.records.step import Step
from core.settings import Settings
from core.units import GIB, significant, thin

RECENT = 10  # steps that a judgement is made from; fewer say nothing yet
FLAT_STEPS = 30
MOST_UNANIMOUS, MOST_CUT, MOST_SAMPLING = 0.8, 0.9, 0.7
LEAST_ENTROPY, ENTROPY_SHARE = 0.05, 0.1
LENGTH_GROWTH = 2.0
MOST_KL = 0.015  # healthy runs keep the sampler-trainer KL below 0.01 to 0.015
FEWEST_WAITING = 0.05
SOLVED = 0.95  # of the best reward seen: a run that is done is not flat


@dataclass(frozen=True)
class Advisory:
    """Something a reader should know about a run: what it is, the figures that say so, what to do."""

    kind: str
    title: str
    evidence: str
    cause: str
    remedy: str


@dataclass(frozen=True)
class Figures:
    """A run's steps as the judgements want them."""

    settings: Settings
    run: Run
    steps: Sequence[Step]

    def of(self, name: str) -> list[float]:
        """A metric over the steps that have it."""
        return [value for step in self.steps if (value := step.metrics.get(name)) is not None]

    def recent(self, name: str) -> float | None:
        """Its mean over the last steps; None while there are too few."""
        values = self.of(name)[-RECENT:]
        return fmean(values) if len(values) == RECENT else None

    def first(self, name: str) -> float | None:
        values = self.of(name)[:RECENT]
        return fmean(values) if values else None


def advisories(settings: Settings, run: Run, steps: Sequence[Step]) -> list[Advisory]:
    """Everything that stands out in these steps, the most costly first; empty for a healthy run."""
    figures = Figures(settings, run, steps)
    return [found for judge in JUDGES if (found := judge(figures)) is not None]


def _unanimous(figures: Figures) -> Advisory | None:
    share = figures.recent("frac_reward_zero_std")
    rewards = figures.of("reward")
    if share is None or share < MOST_UNANIMOUS or fmean(rewards[-RECENT:]) >= SOLVED * max(rewards) > 0:
        return None
    return _advisory(
        "no-reward-variance", f"{share:.0%} of the groups of the last {RECENT} steps had one reward for all."
    )


def _collapsed(figures: Figures) -> Advisory | None:
    now, before = figures.recent("entropy"), figures.first("entropy")
    if now is None or before is None or now >= max(LEAST_ENTROPY, ENTROPY_SHARE * before):
        return None
    reward = figures.of("reward")
    if reward and fmean(reward[-RECENT:]) >= SOLVED * max(reward) and max(reward) > 0:
        return None  # certain and right
    return _advisory(
        "entropy-collapsed", f"Entropy fell from {significant(before)} to {significant(now)} nats a token."
    )


def _growing(figures: Figures) -> Advisory | None:
    now, before = figures.recent("completions/mean_length"), figures.first("completions/mean_length")
    rewards = figures.of("reward")
    if now is None or before is None or len(rewards) < 2 * RECENT or now < LENGTH_GROWTH * before:
        return None
    if fmean(rewards[-RECENT:]) > fmean(rewards[:RECENT]) * 1.1:
        return None  # longer and better is what it was trained for
    return _advisory("growing-length", f"Completions grew from {before:.0f} to {now:.0f} tokens without more reward.")


def _cut(figures: Figures) -> Advisory | None:
    share = figures.recent("completions/clipped_ratio")
    if share is None or share < MOST_CUT:
        return None
    limit = figures.run.config.completion_tokens
    evidence = f"{share:.0%} of the last {RECENT} steps' completions were cut at {limit} tokens."
    return _advisory("all-truncated", evidence, value=limit * 2)


def _mismatch(figures: Figures) -> Advisory | None:
    now, before = figures.recent("mismatch/kl"), figures.first("mismatch/kl")
    if now is None or before is None or now < MOST_KL or now < 1.5 * before:
        return None
    evidence = (
        f"The KL between engine and trainer rose from {significant(before)} to {significant(now)} (healthy: {MOST_KL})."
    )
    return _advisory("mismatch-rising", evidence)


def _flat(figures: Figures) -> Advisory | None:
    rewards = figures.of("reward")
    if len(rewards) < 2 * FLAT_STEPS:
        return None
    before, now = rewards[-2 * FLAT_STEPS : -FLAT_STEPS], rewards[-FLAT_STEPS:]
    noise = (pstdev(before) + pstdev(now)) / 2 / FLAT_STEPS**0.5
    if abs(fmean(now) - fmean(before)) > 2 * noise or fmean(now) >= SOLVED * max(rewards) > 0:
        return None
    return _advisory("reward-flat", f"The mean reward stayed at {significant(fmean(now))} for {2 * FLAT_STEPS} steps.")


def _waiting(figures: Figures) -> Advisory | None:
    """Steps whose completions would have needed more KV cache at one time than there is."""
    needs = figures.of("engine/cache_tokens")
    run = figures.run
    if len(needs) < RECENT or run.engine != "vllm":
        return None
    try:
        resolved = resolve(figures.settings, run.config)
        planned = preview(figures.settings, resolved)
    except GrouperError:  # the model's folder may be gone by now, or the recipe
        return None
    room = planned.kv_cache.tokens
    waiting = sum(need > room for need in needs) / len(needs)
    if not room or waiting < FEWEST_WAITING:
        return None
    evidence = (
        f"{waiting:.0%} of the steps waited: up to {thin(round(max(needs)))} tokens were wanted at once, "
        f"the cache holds {thin(room)}."
    )
    return _advisory("kv-cache-too-small", evidence, **_larger_cache(resolved, planned, max(needs) / room))


def _larger_cache(run: ResolvedRun, planned: planner.MemoryPlan, times: float) -> dict[str, object]:
    """The knob, and the value at which the cache is `times` as large."""
    config, cache = run.config, planned.kv_cache.bytes
    if run.gpu.kind == "cpu":
        return {"knob": "kv_cache_gib", "value": ceil(cache * times / GIB)}
    share = config.gpu_memory_utilization + cache * (times - 1) / planned.capacity_bytes
    return {"knob": "gpu_memory_utilization", "value": min(0.95, ceil(share * 100) / 100)}


def _slow(figures: Figures) -> Advisory | None:
    """Sampling that takes most of the step although an engine could do it faster."""
    recent = figures.steps[-RECENT:]
    sampling = sum(step.seconds.get("generate", 0.0) for step in recent)
    total = sum(sum(step.seconds.values()) for step in recent)
    if len(recent) < RECENT or figures.run.engine != "transformers" or not total or sampling < MOST_SAMPLING * total:
        return None
    evidence = f"Sampling took {sampling / total:.0%} of the last {RECENT} steps, with plain generate."
    change = "Set fast_inference to auto and install the engine with `make setup`."
    return _advisory("slow-generation", evidence, change=change)


def _advisory(kind: str, evidence: str, **found: object) -> Advisory:
    known = known_failure(kind)
    return Advisory(kind, known.title, evidence, known.cause, known.advise(**found))


JUDGES: tuple[Callable[[Figures], Advisory | None], ...] = (
    _mismatch, _collapsed, _unanimous, _cut, _growing, _flat, _waiting, _slow,
)  # fmt: skip
