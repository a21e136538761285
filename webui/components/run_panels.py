"""The panels of one run's page: title, progress and figures, the step picker."""

import json
import re
from collections.abc import Sequence
from urllib.parse import quote

from core.jobs.health import Advisory
from core.planning.remedies import Remedy
from core.records.run import Event, Run
from core.records.status import RunStatus
from core.store.runs.history import History
from core.units import duration, plural, thin
from webui.components.charts import run_colour
from webui.components.status_chip import run_chip
from webui.live_cache import SILENT_S
from webui.present import (
    capitalised,
    clock,
    definitions,
    esc,
    full_moment,
    moment,
    own,
    panel,
    progress_bar,
    reward,
    seconds_left,
    sentence,
)

TERMINAL_CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")  # colours, which a page shows as noise
DOING = {
    "generate": "Sampling completions",
    "sync": "Syncing the engine",
    "reward": "Scoring",
    "update": "Updating",
    "evaluate": "Asking fixed prompts",
}


def heading(run: Run) -> str:
    """The title: name, state, and what kind of run it is."""
    return (
        f'<div class="title"><h1><span><i class="dot" style="background:var({run_colour(run.id)})"></i>'
        f"{own(run.name)}</span> {run_chip(run)}</h1>"
        f'<p>{_shape(run)}<code title="The id of this run">{esc(run.id)}</code></p></div>'
    )


def _shape(run: Run) -> str:
    """Model, recipe, rank and device; nothing where only another version knows them."""
    if run.unreadable:
        return ""
    config = run.config
    rank = f"<span>rank {config.rank}</span>"
    others = (own(fact) for fact in (config.gpu, run.engine) if fact)
    return " · ".join((own(config.model.rstrip("/").rsplit("/", 1)[-1]), own(config.recipe), rank, *others, ""))


def unreadable_panel(run: Run) -> str:
    """Why this version cannot read the run, and what is stored."""
    if run.unreadable is None:
        return ""
    stored = "\n\n".join(f"{name}:\n{text}" for name, text in run.unreadable.raw.items())
    return panel("error", "This version cannot read the run", str(run.unreadable.error()), details=stored)


def headline(run: Run, history: History, now: float) -> str:
    """Progress, what the worker does now, and the figures people look for first."""
    if run.unreadable:
        figures = definitions(_figures(run, history, now))
        return f'<section class="headline card" aria-label="Progress"><b>Step {run.step}</b>{figures}</section>'
    left = seconds_left(run, history.recent)
    ends = f'<span class="soft">about {duration(left)} left</span>' if left is not None else ""
    return (
        '<section class="headline card" aria-label="Progress"><div class="headline-line">'
        f"<b>Step {run.step} of {run.config.steps}</b><span>{_doing(run, now)}</span>{ends}</div>"
        f"{progress_bar(run.step, run.config.steps, 'Steps done')}{definitions(_figures(run, history, now))}</section>"
    )


def step_picker(shown: int, last: int, follows: bool) -> str:
    """Which step's completions are shown. The address remembers a chosen step; following the latest leaves none."""
    query = esc(json.dumps({"step": None if follows else str(shown)}))
    if not last:
        return f'<div data-query="{query}"></div>'
    return (
        f'<div class="picker" data-query="{query}">'
        f"{_step_button('Previous', shown - 1, shown > 1)}"
        f'<input type="range" min="1" max="{last}" value="{shown}" aria-label="Step" data-trigger="select">'
        f"{_step_button('Next', shown + 1, shown < last)}{_step_button('Latest', 0, not follows)}"
        f'<span class="count" role="status">Step {shown} of {last}</span></div>'
    )


def advisories_panel(found: Sequence[Advisory]) -> str:
    """What the run's own figures say is going wrong: the evidence, the remedy, and the cause on demand."""
    if not found:
        return ""
    items = "".join(
        f'<li data-key="{esc(each.kind)}"><b>{esc(each.title)}</b> {sentence(each.evidence)} '
        f'<span class="remedy">{sentence(each.remedy)}</span><p class="soft" lang="en">{esc(each.cause)}</p></li>'
        for each in found
    )
    return f'<section class="panel-box notice advisories" role="note"><h3>Worth a look</h3><ul>{items}</ul></section>'


def relaunch_links(run: Run, ways: Sequence[Remedy]) -> str:
    """Each change as a link to the launch page with the run's settings and that change filled in."""
    if not ways:
        return ""
    items = "".join(
        f'<li><a href="./?like={esc(run.id)}&amp;with={esc(quote(json.dumps(dict(way.overrides))))}">'
        f"Launch again with the change</a>: {sentence(way.sentence)}</li>"
        for way in ways
    )
    return (
        '<section class="panel-box ways" role="note"><h3>What would need less memory</h3>'
        f'<ul class="advice">{items}</ul></section>'
    )


def log_panel(text: str) -> str:
    body = esc(TERMINAL_CODES.sub("", text)) if text.strip() else "Nothing written yet."
    return (
        '<details class="fold" data-key="log"><summary>Log</summary>'
        f'<pre class="block log" data-stick tabindex="0" aria-label="Last lines of the log">{body}</pre></details>'
    )


def events_panel(events: Sequence[Event]) -> str:
    rows = "".join(
        f'<li><time title="{full_moment(event.at)}">{moment(event.at)}</time>{sentence(event.message)}'
        f'<span class="soft">{own(event.who)}</span></li>'
        for event in events
    )
    return (
        f'<details class="fold" data-key="events"><summary>{plural(len(events), "event")}</summary>'
        f'<ol class="events">{rows}</ol></details>'
    )


def _step_button(word: str, step: int, enabled: bool) -> str:
    return (
        f'<button type="button" class="small-button" data-trigger="select" data-id="{step}"'
        f"{'' if enabled else ' disabled'}>{word}</button>"
    )


def _doing(run: Run, now: float) -> str:
    if run.status is RunStatus.QUEUED:
        return f"Waiting for the device · {clock(run.created_at, now)}"
    if not run.status.is_active:
        return ""
    phase = DOING.get(run.phase, capitalised(run.phase)) or "Starting"
    since = f" · {clock(run.phase_started_at, now)}" if run.phase_started_at else ""
    ending = "Stopping after this step · " if run.status is RunStatus.STOPPING else ""
    if run.heartbeat_at and now - run.heartbeat_at > SILENT_S:
        quiet = clock(run.heartbeat_at, now)
        return f"No word from the worker for {quiet}; last seen: {esc(phase)}"
    return f"{ending}{esc(phase)}{since}{_load_estimate(run)}"


def _load_estimate(run: Run) -> str:
    """How long this phase of loading will take, and what comes after it until the first step."""
    expected: dict[str, float] = run.facts.get("load_seconds", {})
    if run.phase not in expected:
        return ""
    names = list(expected)
    after = sum(expected[name] for name in names[names.index(run.phase) + 1 :])
    more = f", then {duration(after)} more until the first step" if after >= 1 else ""
    return f" of about {duration(expected[run.phase])}{more}"


def _figures(run: Run, history: History, now: float) -> list[tuple[str, str]]:
    sampling = history.seconds.get("generate", 0.0)
    first = next((step.metrics.get("reward") for step in history.steps), None)
    gained = f' <span class="soft">from {reward(first)}</span>' if first is not None else ""
    figures = [
        ("Reward", f"{reward(run.reward)}{gained}"),
        ("Tokens sampled", thin(run.tokens)),
        ("Sampling speed", f"{thin(round(history.tokens / sampling))} tokens/s" if sampling else "–"),
    ]
    if run.started_at and run.ended_at:
        figures.append(("Took", duration(run.ended_at - run.started_at)))
    elif run.started_at:
        figures.append(("Running for", clock(run.started_at, now)))
    if run.sync is not None:
        way = run.sync.name
        why = run.sync.sentence.removeprefix(way).lstrip(":, ")
        figures.append(("Adapter sync", f'{esc(way)} <span class="soft" lang="en">{esc(why)}</span>'))
    return figures
