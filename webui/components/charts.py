"""What a run's figures are drawn as: which charts there are, and the columns they draw from.

`charts.js` keeps what it was sent: a run's source names the last step the page has (`after`) and carries newer ones.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from core.records.run import Run
from core.records.step import Step
from core.store.runs.history import History
from core.units import GIB

# Okabe-Ito, see assets/styles/tokens.css. A run keeps the colour that its id gives it.
COLOURS = ("--series-1", "--series-2", "--series-3", "--series-4", "--series-5", "--series-6", "--series-7")
DASHES: tuple[tuple[int, ...], ...] = ((), (7, 4), (2, 3))
PHASE_COLOURS = {"generate": "--series-1", "sync": "--series-5", "reward": "--series-3", "update": "--series-2"}
PHASE_WORDS = {"generate": "Sampling", "sync": "Syncing", "reward": "Scoring", "update": "Updating"}
MEMORY_PHASES = ("rollout", "update")
FEW = 4  # runs whose curves are sent whole: many over each other are narrow charts, drawn from half of the points


@dataclass(frozen=True)
class Line:
    """A column of a source, or a constant `level`."""

    source: str
    column: str
    name: str
    colour: str
    dash: tuple[int, ...] = ()
    main: bool = False
    level: float | None = None
    given: bool = False  # its name is a run's or a reward function's: the same in every language


@dataclass(frozen=True)
class Chart:
    """One chart: `about` explains what it shows, `empty` why there is nothing to draw."""

    key: str
    title: str
    lines: tuple[Line, ...]
    unit: str = ""
    about: str = ""
    empty: str = ""
    wide: bool = False
    stacked: bool = False


@dataclass(frozen=True)
class Figure:
    """One figure a step has: the column it is drawn from, and what it is called."""

    column: str
    title: str
    unit: str = ""
    about: str = ""


# In the order in which they are read: is it learning, is the signal there, is it stable, how fast is it.
FIGURES = (
    Figure("reward", "Reward", about="Mean reward of the step's completions."),
    Figure("reward_std", "Reward spread", about="Standard deviation of the reward: what a group can be compared by."),
    Figure("frac_reward_zero_std", "Flat groups", "%", "Share of groups with one reward for all: they teach nothing."),
    Figure("completions/mean_length", "Completion length", "tokens", "Tokens of a completion."),
    Figure("completions/clipped_ratio", "Truncated", "%", "Share of completions cut at the longest length."),
    Figure("entropy", "Entropy", about="Nats a token; a collapse means that the policy stopped exploring."),
    Figure("kl", "KL to the base model", about="How far the policy has moved; measured while beta is above 0."),
    Figure("mismatch/kl", "Sampler mismatch", about="KL between engine and trainer; healthy below 0.015."),
    Figure("loss", "Loss", about="Near zero by construction; its spikes matter, not its level."),
    Figure("grad_norm", "Gradient norm", about="Before clipping."),
    Figure("learning_rate", "Learning rate"),
    Figure("speed", "Sampling speed", "tokens/s", "Tokens sampled a second of sampling."),
    Figure("step_seconds", "Time by phase", "s", "Seconds of a step."),
    Figure("memory", "Memory", "GiB", "Highest memory of the step."),
)


def run_charts(run: Run, history: History, after: int = 0) -> dict[str, Any]:
    """Every chart of one run. `after` is the last step that the page has, 0 for none."""
    functions = sorted({name for step in history.steps[:1] for name in step.metrics if _function(name)})
    charts = [asdict(_one_run(figure, run, functions)) for figure in FIGURES]
    return {"charts": charts, "sources": [source(run, history, after)]}


def compared_charts(shown: Sequence[tuple[Run, History]]) -> dict[str, Any]:
    """One chart a figure with a line for each run."""
    styles = run_styles([run.id for run, _ in shown])
    drawn = {figure.column for figure in FIGURES}
    every = 2 if len(shown) > FEW else 1
    charts = [
        Chart(
            figure.column,
            "Seconds a step" if figure.column == "step_seconds" else figure.title,
            tuple(Line(run.id, figure.column, run.name, *styles[run.id], main=True, given=True) for run, _ in shown),
            figure.unit,
            figure.about,
            "None of these runs has measured this.",
        )
        for figure in FIGURES
    ]
    return {
        "charts": [asdict(chart) for chart in charts],
        "sources": [source(run, past, only=drawn, every=every) for run, past in shown],
    }


def as_text(charts: dict[str, Any]) -> str:
    """What the browser is sent: Gradio wraps every list of an object that it passes on, and reading those is slow."""
    return json.dumps(charts, separators=(",", ":"))


def run_colour(run_id: str) -> str:
    """The same for a run wherever it is drawn."""
    return COLOURS[sum(ord(letter) * (place + 1) for place, letter in enumerate(run_id)) % len(COLOURS)]


def run_styles(run_ids: Sequence[str]) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Colour and dash of each run; runs that share a colour differ in their dashes."""
    styles: dict[str, tuple[str, tuple[int, ...]]] = {}
    for run_id in run_ids:
        colour = run_colour(run_id)
        taken = [dash for known, dash in styles.values() if known == colour]
        styles[run_id] = colour, DASHES[len(taken) % len(DASHES)]
    return styles


def swatch(colour: str, dash: Sequence[int]) -> str:
    """A short piece of a line, to find it by."""
    style = "solid" if not dash else "dashed" if dash[0] > 4 else "dotted"
    return f'<i class="swatch" style="border-color:var({colour});border-top-style:{style}"></i>'


def source(run: Run, history: History, after: int = 0, only: Collection[str] = (), every: int = 1) -> dict[str, Any]:
    """A run's columns at the steps of its chart; after a given step only the newer ones. `only`: columns to send;
    `every`: of a run with so many steps that some are left out already, one in so many, with the first and the last."""
    steps = [step for step in history.drawn if step.number > after]
    if history.stride > 1 and steps:
        ends, apart = {steps[0].number, steps[-1].number}, history.stride * every
        steps = [step for step in steps if step.number % apart == 0 or step.number in ends]
    columns = {name for step in history.steps[-1:] + history.steps[:1] for name in step.metrics}
    values = {name: [step.metrics.get(name) for step in steps] for name in sorted(columns)}
    values |= {f"seconds/{name}": [step.seconds.get(name) for step in steps] for name in PHASE_WORDS}
    values |= {f"memory/{name}": [_gib(step.memory.get(name)) for step in steps] for name in MEMORY_PHASES}
    values["speed"] = [_speed(step) for step in steps]
    values["step_seconds"] = [sum(step.seconds.values()) for step in steps]
    values["memory"] = [_gib(max(step.memory.values(), default=0)) for step in steps]
    rounded = {
        name: [None if value is None else float(f"{value:.5g}") for value in ys]
        for name, ys in values.items()
        if not only or name in only
    }
    return {
        "id": run.id,
        "name": run.name,
        "after": after,
        "stride": history.stride,
        "steps": [step.number for step in steps],
        "at": [round(step.at, 1) for step in steps],
        "values": rounded,
    }


def _one_run(figure: Figure, run: Run, functions: Sequence[str]) -> Chart:
    def line(column: str, name: str, place: int, **more: Any) -> Line:
        return Line(run.id, column, name, COLOURS[place % len(COLOURS)], **more)

    lines: tuple[Line, ...] = (line(figure.column, figure.title, 0, main=True),)
    empty = ""
    if figure.column == "reward":
        parts = enumerate(functions, start=1)
        lines += tuple(line(name, _function(name), place, dash=(7, 4), given=True) for place, name in parts)
    elif figure.column == "completions/mean_length":
        ends = (line("completions/max_length", "Longest", 1), line("completions/min_length", "Shortest", 2))
        lines = (line(figure.column, "Mean", 0, main=True), *ends)
    elif figure.column == "step_seconds":
        lines = tuple(Line(run.id, f"seconds/{name}", PHASE_WORDS[name], PHASE_COLOURS[name]) for name in PHASE_WORDS)
        return Chart(figure.column, figure.title, lines, "s", figure.about, wide=True, stacked=True)
    elif figure.column == "memory":
        lines = _memory_lines(run)
    elif figure.column == "kl" and not run.unreadable and run.config.beta == 0:
        empty = "Not measured: beta is 0."
    wide = figure.column in ("reward", "memory")
    return Chart(figure.column, figure.title, lines, figure.unit, figure.about, empty, wide)


def _memory_lines(run: Run) -> tuple[Line, ...]:
    planned = run.plan.phases if run.plan else {}
    found: list[Line] = []
    for name in MEMORY_PHASES:
        colour = PHASE_COLOURS["generate" if name == "rollout" else name]
        found.append(Line(run.id, f"memory/{name}", f"{name.capitalize()}, measured", colour, main=True))
        if planned.get(name):
            level = round(planned[name] / GIB, 3)
            found.append(Line(run.id, f"planned/{name}", f"{name.capitalize()}, planned", colour, (2, 3), level=level))
    return tuple(found)


def _function(metric: str) -> str:
    """ "rewards/correctness/mean" -> "correctness"; "" for any other metric."""
    parts = metric.split("/")
    return parts[1] if len(parts) == 3 and parts[0] == "rewards" and parts[2] == "mean" else ""


def _speed(step: Step) -> float | None:
    sampling = step.seconds.get("generate")
    return (step.metrics.get("tokens") or 0.0) / sampling if sampling else None


def _gib(nbytes: int | None) -> float | None:
    return nbytes / GIB if nbytes else None
