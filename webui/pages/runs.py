"""`/runs`: every run in a table that follows what happens. The address holds filter, order and page."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import gradio as gr

from core.errors import GrouperError, InvalidInput
from core.jobs import submission
from core.store.runs import notes
from core.store.runs.table import SORTS, RunFilter, facets, page_of_runs
from core.units import plural
from webui.components.live import ARRIVES, live, still
from webui.components.runs_table import filter_bar, runs_table
from webui.pages.frame import QUIET, TICK, attempt, error_panel, page_body, prints, pulse, refusal, title
from webui.pages.pressed import Pressed, pressed
from webui.present import empty_state, panel, skeleton
from webui.services import Services

CHOICES = ("search", "state", "model", "recipe", "tag")
LONGEST = 200  # characters of a filter's value


@dataclass(frozen=True)
class View:
    """What one browser tab looks at, and the fingerprints of what it has been sent."""

    wanted: RunFilter = field(default_factory=RunFilter)
    sent: Mapping[str, int] = field(default_factory=dict)


def build(app: gr.Blocks, services: Services) -> None:
    panels: dict[str, Any] = {}
    with page_body():
        with gr.Row(elem_classes="title-line"):
            still(title("Runs"))
            still("" if services.read_only else '<a class="main-button" href="./">New run</a>')
        panels["problem"] = live(elem_id="problem")
        panels["filters"] = live(elem_id="filters")
        panels["runs"] = live(skeleton(8), elem_id="runs")
        panels["pulse"] = live(elem_id="pulse")
    view = gr.State(View())
    outputs = [view, *panels.values()]

    def present(seen: View, problem: str = "") -> dict[Any, Any]:
        """Only the panels that differ from what this tab has."""
        doing = "The runs could not be read"
        read = attempt(lambda: render(services, seen.wanted), lambda error: {"problem": error_panel(error, doing)})
        values = {"problem": problem, **read}
        made = prints(values)
        fresh = {panels[name]: values[name] for name in values if made[name] != seen.sent.get(name)}
        return {view: replace(seen, sent={**seen.sent, **made}), **fresh}

    def arrive(key: str, request: gr.Request) -> dict[Any, Any]:
        return present(services.shared.arrived(key, View) or View(asked(request.query_params)))

    def narrow(seen: View, event: gr.EventData) -> dict[Any, Any]:
        return present(replace(seen, wanted=narrowed(seen.wanted, pressed(event))))

    def stop(seen: View, event: gr.EventData) -> dict[Any, Any]:
        run_id, doing = pressed(event).id, "The run was not stopped"
        return present(seen, refusal(doing, lambda: submission.stop(services.database, run_id, "page")))

    def run_next(seen: View, event: gr.EventData) -> dict[Any, Any]:
        run_id, doing = pressed(event).id, "The queue was not changed"
        return present(seen, refusal(doing, lambda: submission.run_next(services.database, run_id)))

    def act(seen: View, event: gr.EventData) -> dict[Any, Any]:
        doing = "Nothing was changed"
        return present(seen, attempt(lambda: act_on(services, pressed(event)), lambda error: error_panel(error, doing)))

    app.load(arrive, panels["pulse"], outputs, js=ARRIVES, **QUIET)
    panels["pulse"].tick(present, view, outputs, **TICK)
    for name in ("filters", "runs"):
        panels[name].input(narrow, view, outputs, **QUIET | {"trigger_mode": "always_last"})
    if not services.read_only:
        panels["runs"].stop(stop, view, outputs, **QUIET)
        panels["runs"].select(run_next, view, outputs, **QUIET)
        panels["runs"].apply(act, view, outputs, **QUIET)


def first(services: Services, query: Mapping[str, str]) -> tuple[View, dict[str, str]]:
    """What is sent with the page; the pulse is sent once more when the tab has started, which tells it that it has."""
    wanted = asked(query)
    values = {"problem": "", **render(services, wanted)}
    return View(wanted, prints(values, "pulse")), values


def render(services: Services, wanted: RunFilter) -> dict[str, str]:
    """The panels, made once for all who look at the same part of the table."""
    token = services.shared.token()
    return services.shared.once(("runs", wanted, token), lambda: _panels(services, wanted, token))


def _panels(services: Services, wanted: RunFilter, token: str) -> dict[str, str]:
    with services.database.reading() as connection:
        page = page_of_runs(connection, wanted)
        if not page.total and not wanted.narrows:
            return {"filters": "", "runs": _nothing_yet(services), "pulse": pulse(token)}
        known = facets(connection)
    wanted = replace(wanted, page=page.page)
    table = runs_table(page, wanted, time.time(), may_change=not services.read_only)
    return {"filters": filter_bar(wanted, known), "runs": table, "pulse": pulse(token)}


def _nothing_yet(services: Services) -> str:
    text = "Every run will be listed here with its state, its progress and its reward."
    return empty_state("No runs yet", text, "" if services.read_only else "Launch a run", "./")


def asked(query: Mapping[str, str]) -> RunFilter:
    """The filter that an address holds; what is not understood is left out."""
    chosen: dict[str, Any] = {name: query.get(name, "")[:LONGEST] for name in CHOICES}
    sort, page = query.get("sort", ""), query.get("page", "")
    if sort.lstrip("-") in SORTS:
        chosen["sort"] = sort
    if page.isascii() and page.isdigit():
        chosen["page"] = min(int(page), 10**6)
    return RunFilter(**chosen, archived=query.get("archived") == "1")


def narrowed(wanted: RunFilter, press: Pressed) -> RunFilter:
    """The filter after a field of the bar was changed, or a head or page link pressed."""
    what = press.action
    if what == "clear":
        return RunFilter()
    if what in ("sort", "page"):
        found = asked({what: press.about})
        return replace(wanted, page=found.page, sort=found.sort if what == "sort" else wanted.sort)
    changes: dict[str, Any] = {}
    for name, given in press.fields.items():
        if name in CHOICES:
            changes[name] = str(given)[:LONGEST]
        elif name == "archived":
            changes[name] = bool(given)
    return replace(wanted, **changes, page=1)


def act_on(services: Services, press: Pressed) -> str:
    """Does one thing to every ticked run; what could not be done is said, run by run, in a panel."""
    ids, word, work = press.ids[:500], press.field("tag"), ACTIONS.get(press.id)
    if work is None:
        raise InvalidInput("action", press.id, "which is unknown", "use the buttons of the page")
    if press.id in ("tag", "untag") and not word.strip():
        raise InvalidInput("tag", word, "which is empty", "write a tag first")
    refused: list[str] = []
    for run_id in ids:
        try:
            work(services, run_id, word)
        except GrouperError as error:
            refused.append(str(error))
    if not refused:
        return ""
    return panel("notice", f"{plural(len(refused), 'run')} of {len(ids)} left as it was", *_few(refused))


def _few(sentences: Sequence[str], most: int = 5) -> list[str]:
    more = len(sentences) - most
    return [*sentences[:most], *([f"And {more} more."] if more > 0 else [])]


def _tag(services: Services, run_id: str, word: str) -> None:
    with services.database.writing() as connection:
        notes.tag(connection, run_id, add=[word])


def _untag(services: Services, run_id: str, word: str) -> None:
    with services.database.writing() as connection:
        notes.tag(connection, run_id, remove=[" ".join(word.split())])


def _archive(services: Services, run_id: str, archived: bool) -> None:
    with services.database.writing() as connection:
        notes.archive(connection, run_id, archived, "page")


ACTIONS: Mapping[str, Callable[[Services, str, str], object]] = {
    "stop": lambda services, run_id, _: submission.stop(services.database, run_id, "page"),
    "delete": lambda services, run_id, _: submission.delete(services.database, services.settings, run_id),
    "archive": lambda services, run_id, _: _archive(services, run_id, True),
    "restore": lambda services, run_id, _: _archive(services, run_id, False),
    "tag": _tag,
    "untag": _untag,
}
