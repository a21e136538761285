"""`/run?id=ID`: one run while it happens and afterwards. `&step=N` shows that step's completions."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import gradio as gr
from gradio.components import Component

from core import jobs
from core.errors import NotFound
from core.runs import Run
from core.store import browsing
from webui.components.completions import groups_view
from webui.components.curves import curves, curves_table
from webui.components.live import curve_chart, live, still
from webui.components.memory_table import memory_table
from webui.components.run_panels import (
    advisories_panel,
    config_panel,
    controls,
    events_panel,
    heading,
    headline,
    log_panel,
    relaunch_links,
    step_picker,
)
from webui.components.time_bar import time_bars
from webui.pages.frame import QUIET, frame, page_body, said
from webui.present import empty_state, failure_panel, skeleton
from webui.services import Services

POLL_SECONDS = 1.5
Values = dict[str, Any]


@dataclass(frozen=True)
class View:
    """What one browser tab looks at and what it has been sent.

    step      the step whose completions are shown; None follows the latest
    revision  the run's revision that is on the page
    sent      panel -> its last value's fingerprint, so that only what changed travels
    """

    run_id: str = ""
    step: int | None = None
    revision: int = -1
    paused: bool = False
    sent: Mapping[str, int] = field(default_factory=dict)


def build(app: gr.Blocks, services: Services) -> None:
    frame("Runs")
    panels = _layout()
    view = gr.State(View())
    outputs = [view, *panels.values()]

    def present(wanted: View) -> dict[Any, Any]:
        """Only the panels that differ from what this tab has."""
        try:
            revision, values = look(services, wanted)
        except Exception as error:
            revision, values = wanted.revision, {"problem": said(error, "The run could not be read")}
        prints = {name: hash(repr(value)) for name, value in values.items()}
        fresh = {panels[name]: _sent(name, values[name]) for name in values if prints[name] != wanted.sent.get(name)}
        return {view: replace(wanted, revision=revision, sent={**wanted.sent, **prints}), **fresh}

    def arrive(request: gr.Request) -> dict[Any, Any]:
        asked = request.query_params
        return present(View(run_id=asked.get("id", ""), step=_step(asked.get("step"))))

    def pick(seen: View, event: gr.EventData) -> dict[Any, Any]:
        return present(replace(seen, step=_step(event._data.get("id")), revision=-1))

    def pause(seen: View) -> dict[Any, Any]:
        return present(replace(seen, paused=not seen.paused))

    def stop(seen: View) -> dict[Any, Any]:
        try:
            jobs.stop(services.database, seen.run_id, "page")
        except Exception as error:
            return {panels["problem"]: said(error, "The run was not stopped")}
        return present(seen)

    def stop_now(seen: View) -> dict[Any, Any]:
        try:
            jobs.stop(services.database, seen.run_id, "page", now=True)
        except Exception as error:
            return {panels["problem"]: said(error, "The run was not stopped")}
        return present(replace(seen, revision=-1))

    def resume(seen: View) -> dict[Any, Any]:
        try:
            jobs.resume(services.database, services.settings, seen.run_id, "page")
        except Exception as error:
            return {panels["problem"]: said(error, "The run was not resumed")}
        return present(replace(seen, revision=-1, sent={}))

    app.load(arrive, None, outputs, **QUIET)
    panels["timer"].tick(present, view, outputs, queue=False, **QUIET)  # type: ignore[attr-defined]
    panels["picker"].select(pick, view, outputs, **QUIET | {"trigger_mode": "always_last"})  # type: ignore[attr-defined]
    panels["controls"].pause(pause, view, outputs, **QUIET)  # type: ignore[attr-defined]
    if not services.read_only:
        panels["controls"].stop(stop, view, outputs, **QUIET)  # type: ignore[attr-defined]
        panels["controls"].end(stop_now, view, outputs, **QUIET)  # type: ignore[attr-defined]
        panels["controls"].retry(resume, view, outputs, **QUIET)  # type: ignore[attr-defined]


def look(services: Services, view: View) -> tuple[int, Values]:
    """The run's revision and the panels that may have changed since the view's."""
    now = time.time()
    with services.database.reading() as connection:
        try:
            run = browsing.get_run(connection, view.run_id)
        except NotFound:
            return view.revision, _unknown(view.run_id)
        values = _always(services, run, view, now)
        if run.revision != view.revision:
            values |= _on_change(services, connection, run, view, now)
    return run.revision, values


def _always(services: Services, run: Run, view: View, now: float) -> Values:
    """What changes without a word in the database. After the last change the page looks once more, for the log."""
    ended = run.status.is_final and run.revision == view.revision
    return {
        "controls": controls(run, now, view.paused, may_stop=not services.read_only),
        "log": log_panel(jobs.log_tail(services.settings, run.id)),
        "timer": not ended and not view.paused,
    }


def _on_change(services: Services, connection: Any, run: Run, view: View, now: float) -> Values:
    steps = browsing.list_steps(connection, run.id)
    loading = browsing.list_load_phases(connection, run.id)
    shown = min(view.step or run.step, run.step)
    groups = browsing.list_groups(connection, run.id, shown) if shown else []
    return {
        "heading": heading(run),
        "problem": failure_panel(run.failure, run.status) + _ways_out(services, run),
        "headline": headline(run, steps, now),
        "advice": advisories_panel(jobs.advisories(services.settings, run, steps)),
        "chart": curves(steps),
        "figures": curves_table(steps),
        "time": time_bars(loading, steps),
        "memory": memory_table(run, loading, steps),
        "picker": step_picker(shown, run.step, view.step is None),
        "groups": groups_view(groups) or '<p class="soft">Completions are shown here from the first step on.</p>',
        "events": events_panel(browsing.list_events(connection, run.id)),
        "config": config_panel(run.config),
    }


def _ways_out(services: Services, run: Run) -> str:
    """For a run that memory ended: the smallest changes that need less, each one click away."""
    if run.failure is None or services.read_only or not run.failure.kind.startswith(("out-of-memory", "kv-cache")):
        return ""
    return relaunch_links(run, jobs.ways_out(services.settings, run))


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
        with gr.Row(elem_classes="split", elem_id="measured"):
            with gr.Column(elem_classes="card", scale=7, min_width=320):
                still('<h2>Reward<span class="hint">Drag to zoom, double-click to see all</span></h2>')
                panels["chart"] = curve_chart("Mean reward by step", elem_id="chart")
                panels["figures"] = live(elem_id="figures")
            with gr.Column(elem_classes="card", scale=5, min_width=320):
                still("<h2>Where the time goes</h2>")
                panels["time"] = live(skeleton(4), elem_id="time")
                still("<h2>Memory, planned and measured</h2>")
                panels["memory"] = live(skeleton(4), elem_id="memory")
        with gr.Column(elem_classes="card", elem_id="sampled"):
            with gr.Row(elem_classes="title-line"):
                still("<h2>Completions</h2>")
                panels["picker"] = live(elem_id="picker")
            panels["groups"] = live(skeleton(6), elem_id="groups")
        with gr.Column(elem_classes="card", elem_id="records"):
            panels["log"] = live(elem_id="log")
            panels["events"] = live(elem_id="events")
            panels["config"] = live(elem_id="config")
        panels["timer"] = gr.Timer(POLL_SECONDS)
    return panels


def _unknown(run_id: str) -> Values:
    what = f"There is no run {run_id!r} here." if run_id else "The address names no run."
    empty = dict.fromkeys(("headline", "controls", "advice"), "")
    help = "It may have been deleted, or it belongs to another installation. Pick one from the list."
    return {**empty, "heading": empty_state("No such run", f"{what} {help}", "All runs", "runs"), "timer": False}


def _sent(name: str, value: Any) -> Any:
    return gr.Timer(active=value) if name == "timer" else value


def _step(text: Any) -> int | None:
    """A step from the address or a control; None for none, and for what is no step."""
    number = int(text) if isinstance(text, str) and text.isascii() and text.isdigit() else 0
    return number or None
