"""`/run?id=ID`: one run while it happens and afterwards. `&step=N` shows that step's completions."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import gradio as gr
from gradio.components import Component

from core.errors import NotFound
from core.jobs import submission
from core.jobs.health import advisories
from core.planning.remedies import ways_out
from core.records.run import Run
from core.store.rollouts.load import list_groups
from core.store.runs import queries
from core.store.runs.history import History
from webui.components.charts import FIGURES, as_text, run_charts
from webui.components.completions import groups_view
from webui.components.config_panel import config_panel
from webui.components.live import ARRIVES, chart_wall, live, still
from webui.components.memory_table import memory_table
from webui.components.notes_panel import notes_panel
from webui.components.run_controls import controls
from webui.components.run_panels import (
    advisories_panel,
    events_panel,
    heading,
    headline,
    log_panel,
    relaunch_links,
    step_picker,
    unreadable_panel,
)
from webui.components.task_panel import task_panel
from webui.components.time_bar import time_bars
from webui.pages.frame import QUIET, TICK, attempt, error_panel, page_body, prints, pulse
from webui.pages.pressed import pressed
from webui.pages.run_actions import act_on
from webui.present import empty_state, failure_panel, skeleton
from webui.services import Services

Values = dict[str, Any]


@dataclass(frozen=True)
class View:
    """What one browser tab looks at and what it has been sent.

    step     the step whose completions are shown; None follows the latest
    charted  (attempt, stride, last step) of what its charts hold
    sent     panel -> its last value's fingerprint, so that only what changed travels
    """

    run_id: str = ""
    step: int | None = None
    paused: bool = False
    charted: tuple[int, int, int] = (0, 0, 0)
    sent: Mapping[str, int] = field(default_factory=dict)


def build(app: gr.Blocks, services: Services) -> None:
    panels = _layout()
    view = gr.State(View())
    outputs = [view, *panels.values()]

    def present(wanted: View, problem: str = "") -> dict[Any, Any]:
        """Only the panels that differ from what this tab has."""
        doing = "The run could not be read"
        now, values = attempt(
            lambda: render(services, wanted), lambda error: (wanted, {"problem": error_panel(error, doing)})
        )
        if problem:
            values["problem"] = problem
        made = prints(values, "charts")
        fresh = {panels[name]: values[name] for name in values if made.get(name, 0) != wanted.sent.get(name)}
        return {view: replace(now, sent={**wanted.sent, **made}), **fresh}

    def arrive(key: str, request: gr.Request) -> dict[Any, Any]:
        return present(services.shared.arrived(key, View) or asked(request.query_params))

    def pick(seen: View, event: gr.EventData) -> dict[Any, Any]:
        return present(replace(seen, step=_step(pressed(event).id)))

    def pause(seen: View) -> dict[Any, Any]:
        return present(replace(seen, paused=not seen.paused))

    def redraw(seen: View) -> dict[Any, Any]:
        return present(replace(seen, charted=(0, 0, 0)))

    app.load(arrive, panels["pulse"], outputs, js=ARRIVES, **QUIET)
    panels["pulse"].tick(present, view, outputs, **TICK)  # type: ignore[attr-defined]
    panels["charts"].tick(redraw, view, outputs, **TICK)  # type: ignore[attr-defined]
    panels["picker"].select(pick, view, outputs, **QUIET | {"trigger_mode": "always_last"})  # type: ignore[attr-defined]
    panels["controls"].pause(pause, view, outputs, **QUIET)  # type: ignore[attr-defined]
    if not services.read_only:
        _register_changes(services, panels, view, present)


def _register_changes(services: Services, panels: dict[str, Any], view: gr.State, present: Callable[..., Any]) -> None:
    """What changes the run: the panels with buttons for it, each of which says what it is for."""

    def change(seen: View, event: gr.EventData) -> dict[Any, Any]:
        return present(seen, act_on(services, seen.run_id, pressed(event)))

    outputs = [view, *panels.values()]
    panels["controls"].apply(change, view, outputs, **QUIET)
    # A tag may be added while the notes are still being kept, and neither is worse for being done twice.
    panels["notes"].apply(change, view, outputs, **QUIET | {"trigger_mode": "multiple"})


def first(services: Services, query: Mapping[str, str]) -> tuple[View, Values]:
    """What is sent with the page; the pulse is sent once more when the tab has started, which tells it that it has."""
    view, values = render(services, asked(query))
    return replace(view, sent=prints(values, "charts", "pulse")), values


def asked(query: Mapping[str, str]) -> View:
    return View(run_id=query.get("id", "")[:20], step=_step(query.get("step")))


def render(services: Services, view: View) -> tuple[View, Values]:
    """The panels as they are now, made once for all who look at the same, and the charts' newest points."""
    now, token = time.time(), services.shared.token(view.run_id)
    try:
        history = services.shared.history(view.run_id)
    except NotFound:
        return view, {**_unknown(view.run_id), "pulse": pulse(token, view.run_id, beats=False)}
    key = ("run", view.run_id, token, history.revision, view.step)
    run, values = services.shared.once(key, lambda: _panels(services, view, history, now))
    values = {
        **values,
        "controls": controls(run, now, view.paused, may_change=not services.read_only),
        "pulse": pulse(token, run.id, beats=not view.paused),
    }
    return _with_charts(view, run, history, values)


def _with_charts(view: View, run: Run, history: History, values: Values) -> tuple[View, Values]:
    """Adds the charts where this tab has not seen the newest steps, as the steps it lacks where that is enough."""
    holds = (run.attempt, history.stride, history.last)
    if view.charted == holds and run.attempt == 1:
        return view, values
    grows = view.charted[:2] == holds[:2] and view.charted[2] <= history.last and run.attempt == 1
    values["charts"] = as_text(run_charts(run, history, after=view.charted[2] if grows else 0))
    return replace(view, charted=holds), values


def _panels(services: Services, view: View, history: History, now: float) -> tuple[Run, Values]:
    with services.database.reading() as connection:
        run = queries.get_run(connection, view.run_id)
        loading = queries.list_load_phases(connection, run.id)
        shown = min(view.step or run.step, run.step)
        groups = list_groups(connection, run.id, shown) if shown else []
        events = queries.list_events(connection, run.id)
    return run, {
        "heading": heading(run),
        "problem": unreadable_panel(run) + failure_panel(run.failure, run.status) + _ways_out(services, run),
        "headline": headline(run, history, now),
        "advice": advisories_panel(advisories(services.settings, run, history.steps)),
        "time": time_bars(loading, history),
        "memory": memory_table(run, loading, history),
        "picker": step_picker(shown, run.step, view.step is None),
        "groups": groups_view(groups) or '<p class="soft">Completions are shown here from the first step on.</p>',
        "notes": notes_panel(run, may_change=not services.read_only),
        "log": log_panel(submission.log_tail(services.settings, run.id)),
        "events": events_panel(events),
        "config": _settings(services, run),
    }


def _settings(services: Services, run: Run) -> str:
    """The task that the run is trained on, and its settings."""
    if run.unreadable:
        return ""
    task = task_panel(run, services.settings.run_folder(run.id))
    return task + config_panel(run.config, services.settings.tasks)


def _ways_out(services: Services, run: Run) -> str:
    """For a run that memory ended: the smallest changes that need less, each one click away."""
    if run.failure is None or run.unreadable or services.read_only:
        return ""
    if not run.failure.kind.startswith(("out-of-memory", "kv-cache")):
        return ""
    return relaunch_links(run, ways_out(services.settings, run))


def _layout() -> dict[str, Component]:
    """The page's panels by name, in reading order."""
    panels: dict[str, Component] = {}
    with page_body():
        with gr.Row(elem_classes="title-line"):
            panels["heading"] = live(skeleton(2), elem_id="heading")
            panels["controls"] = live(elem_id="controls")
        panels["problem"] = live(elem_id="problem")
        panels["headline"] = live(skeleton(3), elem_id="headline")
        panels["advice"] = live(elem_id="advice")
        with gr.Column(elem_classes="card", elem_id="measured"):
            panels["charts"] = chart_wall("Charts of this run", len(FIGURES), elem_id="charts")
        with gr.Row(elem_classes="split", elem_id="spent"):
            with gr.Column(elem_classes="card", scale=7, min_width=320):
                still("<h2>Where the time goes</h2>")
                panels["time"] = live(skeleton(4), elem_id="time")
            with gr.Column(elem_classes="card", scale=5, min_width=320):
                still("<h2>Memory, planned and measured</h2>")
                panels["memory"] = live(skeleton(4), elem_id="memory")
        with gr.Column(elem_classes="card", elem_id="sampled"):
            with gr.Row(elem_classes="title-line"):
                still("<h2>Completions</h2>")
                panels["picker"] = live(elem_id="picker")
            panels["groups"] = live(skeleton(6), elem_id="groups")
        with gr.Column(elem_classes="card", elem_id="noted"):
            still("<h2>Tags and notes</h2>")
            panels["notes"] = live(skeleton(2), elem_id="notes")
        with gr.Column(elem_classes="card", elem_id="records"):
            panels["config"] = live(elem_id="config")
            panels["log"] = live(elem_id="log")
            panels["events"] = live(elem_id="events")
        panels["pulse"] = live(elem_id="pulse")
    return panels


def _unknown(run_id: str) -> Values:
    what = f"There is no run {run_id!r} here." if run_id else "The address names no run."
    empty = dict.fromkeys(("headline", "controls", "advice", "problem"), "")
    help = "It may have been deleted, or it belongs to another installation. Pick one from the list."
    return {**empty, "heading": empty_state("No such run", f"{what} {help}", "All runs", "runs")}


def _step(text: Any) -> int | None:
    """A step from the address or a control; None for none, and for what is no step."""
    number = int(text) if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) < 12 else 0
    return number or None
