"""`/find?run=ID&...`: completions by words, filters and order. The question is in the address and nowhere else."""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import gradio as gr

from core.errors import InvalidInput
from core.export import formats
from core.records.run import Run
from core.store.rollouts import feedback
from core.store.runs import queries
from core.store.search.filter import CompletionFilter
from core.store.search.query import evidence_counts, list_completions, overview, score_functions
from webui.components.completions import completion_card
from webui.components.find_form import FindForm
from webui.components.live import live
from webui.components.search_results import evidence_links, found_line, next_pages
from webui.pages.completions import RUNS, completions_title, nothing_yet, unread
from webui.pages.frame import QUIET, or_else, page_body
from webui.present import panel, skeleton
from webui.services import Services

PAGE = 30
NAMES = frozenset(CompletionFilter.__annotations__) | {"run"}


def build(app: gr.Blocks, services: Services) -> None:
    with page_body():
        heading = live(skeleton(2), elem_id="heading")
        with gr.Column(elem_classes="card"):
            form = live(skeleton(3), elem_id="form")
        with gr.Column(elem_classes="card"):
            found = live(skeleton(8), elem_id="found")

    @or_else(lambda error: [unread(error, "The completions could not be read"), "", ""])
    def arrive(request: gr.Request) -> list[Any]:
        return [*render(services, {name: text for name, text in request.query_params.items() if name in NAMES})]

    app.load(arrive, None, [heading, form, found], **QUIET)


def render(services: Services, asked: Mapping[str, str]) -> tuple[str, str, str]:
    """(title, form, what was found)."""
    with services.database.reading() as connection:
        known = [run for run in queries.list_runs(connection, limit=RUNS) if run.step]
        spans_runs = not asked.get("run") and bool(asked.get("flagged") == "1" or asked.get("tag"))
        if not known and not asked.get("run"):
            return nothing_yet(services), "", ""
        run = None if spans_runs else queries.get_run(connection, asked["run"]) if asked.get("run") else known[0]
        run_id = run.id if run else ""
        functions = score_functions(connection, run_id)
        title = completions_title(
            "Completions", run, known, "flagged" if spans_runs and asked.get("flagged") else "find"
        )
        tags = feedback.known_tags(connection, run_id)
        form = FindForm(run_id, asked, functions, tags).html() if run else ""
        counts = evidence_counts(connection, run_id)
        noticed = evidence_links(run_id, counts, asked.get("evidence", ""))
        try:
            wanted = CompletionFilter.from_query({**asked, "limit": PAGE})
            page, cursor = list_completions(connection, run_id, wanted)
            seen = services.shared.once(_overview_key(run, wanted), lambda: overview(connection, run_id, wanted))
        except InvalidInput as error:
            return title, form + noticed, panel("error", "This cannot be asked", str(error))
    kept = {name: text for name, text in wanted.to_query().items() if name not in ("after", "limit")}
    address = urlencode({**({"run": run_id} if run_id else {}), **kept})
    cards = "".join(completion_card(one, with_prompt=True) for one in page)
    nothing = "Nothing is flagged yet: open a completion and flag it." if spans_runs else "No completion matches."
    clear = f' <a href="find?{urlencode({"run": run_id})}">See all completions</a>' if run_id else ""
    body = f'<ol class="answers">{cards}</ol>' if page else f'<p><span class="soft">{nothing}</span>{clear}</p>'
    line = found_line(seen, address, formats() if run_id else ())
    return title, form + noticed, line + body + next_pages(address, cursor, bool(wanted.after))


def _overview_key(run: Run | None, wanted: CompletionFilter) -> tuple[object, ...]:
    """The same for all pages of one question, as long as its run is as it was: to count takes longer than to list.

    What people say about completions changes no run, so that questions about it are counted each time.
    """
    if run is None or wanted.tag or wanted.flagged is not None:
        return "overview", time.monotonic()
    return "overview", run.id, run.revision, replace(wanted, sort="newest", limit=1, after="")
