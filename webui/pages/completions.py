"""`/completions?run=ID&step=N&group=K`: a step's groups as rows; the group that is opened shows its completions."""

from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from core.errors import NotFound
from core.records.run import Run
from core.store.rollouts.load import list_groups
from core.store.runs import queries
from webui.components.completions import group_rows, tabs
from webui.components.live import live
from webui.components.run_panels import step_picker
from webui.components.run_select import run_select
from webui.pages.frame import QUIET, attempt, error_panel, page_body, title
from webui.pages.pressed import pressed
from webui.present import empty_state, esc, skeleton
from webui.services import Services

RUNS = 200  # newest, to choose from


@dataclass(frozen=True)
class View:
    """What one tab looks at: a run, a step (None: the last) and the number of the opened group."""

    run: str = ""
    step: int | None = None
    group: int | None = None


def build(app: gr.Blocks, services: Services) -> None:
    with page_body():
        with gr.Row(elem_classes="title-line"):
            heading = live(skeleton(2), elem_id="heading")
            picker = live(elem_id="picker")
        with gr.Column(elem_classes="card"):
            groups = live(skeleton(8), elem_id="groups")
    view = gr.State(View())
    outputs = [view, heading, picker, groups]

    def arrive(request: gr.Request) -> list[Any]:
        asked = request.query_params
        group = whole(asked.get("group"))
        return present(View(asked.get("run", ""), whole(asked.get("step")), None if group is None else group - 1))

    def pick(seen: View, event: gr.EventData) -> list[Any]:
        return present(replace(seen, step=whole(pressed(event).id), group=None))

    def opened(seen: View, event: gr.EventData) -> list[Any]:
        number = whole(pressed(event).about, least=0)
        return present(replace(seen, group=None if number == seen.group else number))

    def present(wanted: View) -> list[Any]:
        doing = "The completions could not be read"
        return attempt(lambda: [*render(services, wanted)], lambda error: [wanted, unread(error, doing), "", ""])

    app.load(arrive, None, outputs, **QUIET)
    picker.select(pick, view, outputs, **QUIET | {"trigger_mode": "always_last"})
    groups.select(opened, view, outputs, **QUIET | {"trigger_mode": "always_last"})


def render(services: Services, view: View) -> tuple[View, str, str, str]:
    """(view as it is now, title, step picker, groups)."""
    with services.database.reading() as connection:
        known = [run for run in queries.list_runs(connection, limit=RUNS) if run.step or run.id == view.run]
        if not known and not view.run:
            return view, nothing_yet(services), "", ""
        run = queries.get_run(connection, view.run) if view.run else known[0]
        shown = min(view.step or run.step, run.step)
        groups = list_groups(connection, run.id, shown) if shown else []
    now = replace(view, run=run.id, step=view.step and shown)
    body = group_rows(groups, view.group) if groups else nothing_sampled(run)
    query = esc(
        f'{{"run": "{run.id}", "group": {"null" if view.group is None else chr(34) + str(view.group + 1) + chr(34)}}}'
    )
    return (
        now,
        completions_title("Completions", run, known, "completions"),
        step_picker(shown, run.step, view.step is None),
        f'<div data-query="{query}"></div>{body}',
    )


def completions_title(text: str, run: Run | None, known: list[Run], page: str) -> str:
    """The title of a page about completions: which run, and the other pages about it."""
    chosen = run_select(known, run, page)
    link = f' <a href="run?id={esc(run.id)}">Run page</a>' if run else ""
    return f'<div class="title"><h1>{esc(text)}</h1><p>{chosen}{link}</p></div>{tabs(run.id if run else "", page)}'


def unread(error: Exception, doing: str) -> str:
    """The title's place when there is no such run, or when something else went wrong."""
    if isinstance(error, NotFound):
        return empty_state("No such run", f"{error} Pick one from the list.", "Completions", "completions")
    return title("Completions") + error_panel(error, doing)


def nothing_yet(services: Services) -> str:
    return title("Completions") + empty_state(
        "No completions yet",
        "What runs sample will be here, group by group, from their first step on.",
        "" if services.read_only else "Launch a run",
        "./",
    )


def nothing_sampled(run: Run) -> str:
    """In the place of a run's completions when there are none, now or ever."""
    said_so = (
        "This run ended before it sampled anything." if run.status.is_final else "This run has no completions yet."
    )
    return f'<p class="soft">{said_so}</p>'


def whole(text: Any, least: int = 1) -> int | None:
    """A whole number from an address or a control; None for none, and for what is none."""
    number = int(text) if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) < 16 else least - 1
    return number if number >= least else None
