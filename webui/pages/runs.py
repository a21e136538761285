"""`/runs`: every run, newest first, following what happens. `?before=TIME` is a page of older ones."""

import time
from typing import Any

import gradio as gr

from core import jobs
from core.store import browsing
from webui.components.live import live, still
from webui.components.runs_table import runs_table
from webui.pages.frame import QUIET, frame, page_body, said, title
from webui.present import empty_state, skeleton
from webui.services import Services

PAGE = 50
POLL_SECONDS = 2.0


def build(app: gr.Blocks, services: Services) -> None:
    frame("Runs")
    with page_body():
        with gr.Row(elem_classes="title-line"):
            still(title("Runs"))
            still("" if services.read_only else '<a class="main-button" href="./">New run</a>')
        problem = live(elem_id="problem")
        table = live(skeleton(8), elem_id="runs")
    token, timer = gr.State(""), gr.Timer(POLL_SECONDS)

    def look(seen: str, request: gr.Request) -> list[Any]:
        try:
            fresh, shown = table_view(services, before(request), seen)
        except Exception as error:
            return [gr.skip(), said(error, "The runs could not be read")]
        return [fresh, shown]

    def stop(request: gr.Request, event: gr.EventData) -> list[Any]:
        try:
            jobs.stop(services.database, str(event._data.get("id", "")), "page")
        except Exception as error:
            return [table_view(services, before(request))[1], said(error, "The run was not stopped")]
        return [table_view(services, before(request))[1], ""]

    def run_next(request: gr.Request, event: gr.EventData) -> list[Any]:
        try:
            jobs.run_next(services.database, str(event._data.get("id", "")))
        except Exception as error:
            return [table_view(services, before(request))[1], said(error, "The queue was not changed")]
        return [table_view(services, before(request))[1], ""]

    app.load(look, token, [token, table], **QUIET)
    timer.tick(look, token, [token, table], queue=False, **QUIET)
    if not services.read_only:
        table.stop(stop, None, [table, problem], **QUIET)
        table.select(run_next, None, [table, problem], **QUIET)


def before(request: gr.Request) -> float | None:
    """The cursor in the address; anything that is not a time is the first page."""
    try:
        return float(request.query_params.get("before", ""))
    except ValueError:
        return None


def table_view(services: Services, cursor: float | None, seen: str = "") -> tuple[Any, Any]:
    """(change token, table), or nothing to redraw when the token is the one already seen."""
    with services.database.reading() as connection:
        token = browsing.change_token(connection)
        if token == seen:
            return gr.skip(), gr.skip()
        found = browsing.list_runs(connection, limit=PAGE + 1, before=cursor)
    page = found[:PAGE]
    if not page and cursor is None:
        return token, empty_state(
            "No runs yet",
            "Every run will be listed here with its state, its progress and its reward.",
            "" if services.read_only else "Launch a run",
            "./",
        )
    older = f"runs?before={page[-1].created_at!r}" if len(found) > PAGE else ""
    newest = "runs" if cursor is not None else ""
    return token, runs_table(page, time.time(), older, newest, may_stop=not services.read_only)
