"""`/compare?runs=A,B`: up to twenty runs over each other. `&step=N&prompt=I` are the completions beside each other."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import gradio as gr

from core.errors import NotFound
from core.records.run import Run
from core.store.rollouts.prompt_history import prompts_of_step, same_prompt
from core.store.runs.history import History
from core.store.runs.table import RunFilter, page_of_runs, runs_by_id
from webui.components.charts import FIGURES, as_text, compared_charts
from webui.components.comparison import MOST_RUNS, differences, final_figures, picker, prompt_picker, said_side_by_side
from webui.components.live import ARRIVES, chart_wall, live, still
from webui.pages.frame import QUIET, TICK, attempt, error_panel, page_body, prints, pulse, title
from webui.pages.pressed import pressed
from webui.present import empty_state, skeleton
from webui.services import Services

OFFERED = 200  # the newest runs that can be added
READERS = 3  # histories that are read at a time: the database reads while other rows are made into records


@dataclass(frozen=True)
class View:
    """What one browser tab compares, and the fingerprints of what it has been sent."""

    runs: tuple[str, ...] = ()
    step: int | None = None
    prompt: int = 0
    sent: Mapping[str, int] = field(default_factory=dict)


def build(app: gr.Blocks, services: Services) -> None:
    panels: dict[str, Any] = {}
    with page_body():
        still(title("Compare runs", "Their curves over each other, where their settings differ, and what they said."))
        panels["picker"] = live(skeleton(1), elem_id="picker")
        panels["problem"] = live(elem_id="problem")
        with gr.Column(elem_classes="card compared"):
            panels["charts"] = chart_wall("Charts of the compared runs", len(FIGURES), elem_id="charts")
        with gr.Column(elem_classes="card compared"):
            still("<h2>Settings that differ</h2>")
            panels["differences"] = live(elem_id="differences")
            still("<h2>Final figures</h2>")
            panels["final"] = live(elem_id="final")
        with gr.Column(elem_classes="card compared"):
            with gr.Row(elem_classes="title-line"):
                still("<h2>The same prompt</h2>")
                panels["prompts"] = live(elem_id="prompts")
            panels["said"] = live(elem_id="said")
        panels["pulse"] = live(elem_id="pulse")
    view = gr.State(View())
    outputs = [view, *panels.values()]

    def present(seen: View) -> dict[Any, Any]:
        """Only the panels that differ from what this tab has."""
        doing = "The runs could not be compared"
        values = attempt(lambda: render(services, seen), lambda error: {"problem": error_panel(error, doing)})
        made = prints(values)
        fresh = {panels[name]: values[name] for name in values if made[name] != seen.sent.get(name)}
        return {view: replace(seen, sent={**seen.sent, **made}), **fresh}

    def arrive(key: str, request: gr.Request) -> dict[Any, Any]:
        return present(services.shared.arrived(key, View) or asked(request.query_params))

    def choose(seen: View, event: gr.EventData) -> dict[Any, Any]:
        fields = pressed(event).fields
        if fields.get("add"):
            seen = replace(seen, runs=tuple(dict.fromkeys((*seen.runs, str(fields["add"])[:20]))))
        if "prompt" in fields:
            seen = replace(seen, prompt=_whole(fields["prompt"]))
        return present(seen)

    def leave_out(seen: View, event: gr.EventData) -> dict[Any, Any]:
        gone = pressed(event).id
        return present(replace(seen, runs=tuple(run_id for run_id in seen.runs if run_id != gone)))

    def pick(seen: View, event: gr.EventData) -> dict[Any, Any]:
        return present(replace(seen, step=_whole(pressed(event).id) or None))

    app.load(arrive, panels["pulse"], outputs, js=ARRIVES, **QUIET)
    latest = QUIET | {"trigger_mode": "always_last"}
    panels["pulse"].tick(present, view, outputs, **TICK)
    panels["picker"].input(choose, view, outputs, **latest)
    panels["picker"].clear(leave_out, view, outputs, **latest)
    panels["prompts"].input(choose, view, outputs, **latest)
    panels["prompts"].select(pick, view, outputs, **latest)


def first(services: Services, query: Mapping[str, str]) -> tuple[View, dict[str, str]]:
    """What is sent with the page; the pulse is sent once more when the tab has started, which tells it that it has."""
    view = asked(query)
    values = render(services, view)
    return replace(view, sent=prints(values, "pulse")), values


def asked(query: Mapping[str, str]) -> View:
    ids = tuple(dict.fromkeys(part for part in query.get("runs", "")[:2000].split(",") if part))
    return View(ids, _whole(query.get("step")) or None, _whole(query.get("prompt")))


def render(services: Services, view: View) -> dict[str, str]:
    """The panels, made once for all who compare the same runs."""
    token = services.shared.token()
    key = ("compare", view.runs, view.step, view.prompt, token)
    return services.shared.once(key, lambda: _panels(services, view, token))


def _panels(services: Services, view: View, token: str) -> dict[str, str]:
    with services.database.reading() as connection:
        chosen = runs_by_id(connection, view.runs[:MOST_RUNS])
        offered = [row.run for row in page_of_runs(connection, RunFilter(), OFFERED, curves=False).rows]
    # Runs that this version cannot read have no settings to compare; their own pages say why.
    shown, offered = ([run for run in runs if not run.unreadable] for runs in (chosen, offered))
    others = [run for run in offered if run not in shown]
    hidden = max(0, len(view.runs) - MOST_RUNS)
    values = {"picker": picker(shown, others, view.step, view.prompt, hidden), "pulse": pulse(token)}
    if not shown:
        return {**values, "problem": _nothing_chosen(bool(others)), **dict.fromkeys(("said", "prompts"), "")}
    with ThreadPoolExecutor(READERS) as pool:
        past = list(pool.map(lambda run: _history(services, run.id), shown))
    both = [(run, history) for run, history in zip(shown, past, strict=True) if history is not None]
    return {
        **values,
        "problem": "",
        "charts": as_text(compared_charts(both)),
        "differences": differences(shown),
        "final": final_figures(both),
        **_completions(services, view, shown),
    }


def _history(services: Services, run_id: str) -> History | None:
    try:
        return services.shared.history(run_id)
    except NotFound:  # deleted meanwhile
        return None


def _completions(services: Services, view: View, shown: Sequence[Run]) -> dict[str, str]:
    first = next((run for run in shown if run.step), None)
    if first is None:
        return {"prompts": "", "said": '<p class="soft">Completions are shown here from the first step on.</p>'}
    step = min(view.step or first.step, first.step)
    with services.database.reading() as connection:
        prompts = prompts_of_step(connection, first.id, step)
        if not prompts:
            nothing = '<p class="soft">No completions are stored for this step.</p>'
            return {"prompts": prompt_picker(step, first.step, 0, []), "said": nothing}
        place = min(view.prompt, len(prompts) - 1)
        found = same_prompt(connection, [run.id for run in shown], prompts[place], step)
    return {
        "prompts": prompt_picker(step, first.step, place, prompts),
        "said": said_side_by_side(shown, prompts[place], found),
    }


def _nothing_chosen(any_runs: bool) -> str:
    if any_runs:
        text = "Add runs above, or tick some in the list of runs and press Compare."
        return empty_state("Choose runs to compare", text, "All runs", "runs")
    return empty_state("No runs to compare yet", "Two runs make a comparison; launch the first.", "Launch a run", "./")


def _whole(text: Any) -> int:
    return int(text) if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) < 10 else 0
