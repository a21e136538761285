"""`/prompt?id=N&a=N&b=N`: one prompt across steps and runs, and the difference between any two of its answers."""

from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from core.errors import NotFound
from core.records.rollout import Completion
from core.store.rollouts.load import get_completion, load_completions
from core.store.rollouts.prompt_history import MOST_VISITS, Visit, visits
from core.units import plural, thin
from webui.components.charts import run_styles
from webui.components.completions import bar_range, completion_card, reward_strip
from webui.components.difference import difference
from webui.components.line_chart import line_chart
from webui.components.live import live
from webui.pages.completions import whole
from webui.pages.frame import QUIET, chart_beside, error_panel, or_else, page_body
from webui.present import empty_state, esc, folded, own, reward, skeleton
from webui.services import Services

ROWS = 60  # visits in the table, newest of each run last
MOST_LINES = 7  # runs in the chart, the newest
CHOICES = 400  # answers in a list to choose from


def build(app: gr.Blocks, services: Services) -> None:
    with page_body():
        heading = live(skeleton(3), elem_id="heading")
        chart, table = chart_beside("Mean reward by step, for each run")
        with gr.Column(elem_classes="card"):
            compared = live(skeleton(6), elem_id="compared")

    @or_else(lambda error: [_unread(error), "", "", ""])
    def arrive(request: gr.Request) -> list[Any]:
        return [*render(services, dict(request.query_params))]

    app.load(arrive, None, [heading, chart, table, compared], **QUIET)


def _unread(error: Exception) -> str:
    if isinstance(error, NotFound):
        return empty_state("No such prompt", f"{error} Pick one from the list.", "Completions", "completions")
    return error_panel(error, "The prompt could not be read")


def render(services: Services, asked: Mapping[str, str]) -> tuple[str, str, str, str]:
    """(title with the prompt, chart, table of visits, two answers and their difference)."""
    number = whole(asked.get("id")) or 0
    with services.database.reading() as connection:
        one = get_completion(connection, number)
        found = visits(connection, number)
        members = {member for visit in found for member, _ in visit.members}
        first, last = found[0].members[0][0], found[-1].members[0 if len(found) > 1 else -1][0]
        left, right = _chosen(asked.get("a"), members, first), _chosen(asked.get("b"), members, last)
        pair = load_completions(connection, [left, right] if left != right else [left])
    runs = len({visit.run for visit in found})
    more = f" The newest {MOST_VISITS} groups." if len(found) == MOST_VISITS else ""
    answers = sum(len(visit.members) for visit in found)
    heading = (
        '<div class="title"><h1>A prompt over time</h1>'
        f"<p>{thin(answers)} answers in {plural(len(found), 'group')} of {plural(runs, 'run')}.{more}</p></div>"
        f'<div class="prompt">{folded(one.prompt)}</div>'
    )
    return (
        heading,
        line_chart(_chart(found), "Mean reward of this prompt by step"),
        _table(found),
        _compared(found, number, pair[0], pair[-1]),
    )


def _chosen(text: Any, members: set[int], otherwise: int) -> int:
    """The answer that the address names, where it is one to this prompt."""
    number = whole(text)
    return number if number in members and number is not None else otherwise


def _chart(found: Sequence[Visit]) -> dict[str, Any]:
    steps = sorted({visit.step for visit in found})
    series = []
    names = list(dict.fromkeys((visit.run, visit.run_name) for visit in found))[-MOST_LINES:]
    styles = run_styles([run for run, _ in names])
    for run, name in names:
        means: dict[int, list[float]] = {}
        for visit in found:
            if visit.run == run and visit.mean is not None:
                means.setdefault(visit.step, []).append(visit.mean)
        values = [sum(means[step]) / len(means[step]) if step in means else None for step in steps]
        colour, dash = styles[run]
        series.append({"name": f"{name} {run}", "colour": colour, "dash": dash, "values": values, "given": True})
    return {"steps": steps, "series": series}


def _table(found: Sequence[Visit]) -> str:
    low, high = bar_range(value for visit in found for value in visit.rewards)
    rows = ""
    for visit in found[-ROWS:]:
        bars = reward_strip([value for _, value in visit.members], low, high)
        rows += (
            f'<tr><td><a href="run?id={esc(visit.run)}">{own(visit.run_name)}</a></td>'
            f'<td class="number">{visit.step}</td><td class="number">{reward(visit.mean)}</td><td>{bars}</td>'
            f'<td><a href="completion?id={visit.members[0][0]}">Best</a></td></tr>'
        )
    heads = "".join(
        f'<th scope="col"{" class=number" if name in ("Step", "Mean") else ""}>{name}</th>'
        for name in ("Run", "Step", "Mean", "Rewards", "")
    )
    left_out = f'<p class="soft">The last {ROWS} of {len(found)} groups.</p>' if len(found) > ROWS else ""
    return (
        f'<h2>Every time it was asked</h2>{left_out}<div class="scroll tall" tabindex="0" role="region" '
        f'aria-label="Groups of this prompt"><table class="table"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody>'
        "</table></div>"
    )


def _compared(found: Sequence[Visit], number: int, left: Completion, right: Completion) -> str:
    """Two lists to choose from, both answers, and what differs."""
    form = (
        f'<form class="find" method="get" action="prompt"><input type="hidden" name="id" value="{number}">'
        f'<div class="find-line pair-of-answers">{_answers("a", "From", found, left.id)}'
        f"{_answers('b', 'to', found, right.id)}"
        '<button class="small-button">Compare</button></div></form>'
    )
    cards = "".join(completion_card(one) for one in ((left,) if left.id == right.id else (left, right)))
    same = '<p class="soft">Both are the same, word for word.</p>' if left.text == right.text else ""
    legend = '<p class="soft"><del>only in the first</del> <ins>only in the second</ins></p>'
    return (
        f'<h2>Two answers compared</h2>{form}<ol class="answers">{cards}</ol><h2>Difference, word by word</h2>'
        f"{same or legend}{difference(left.text, right.text)}"
    )


def _answers(name: str, label: str, found: Sequence[Visit], chosen: int) -> str:
    """Every answer, by run and step; of very many the best of each group."""
    each = 1 if sum(len(visit.members) for visit in found) > CHOICES else None
    options = ""
    for visit in found[-CHOICES:]:
        for place, (member, value) in enumerate(visit.members):
            if each is None or place < each or member == chosen:
                said_so = f"{visit.run_name}, step {visit.step}: reward {reward(value)}, no. {place + 1}"
                mark = " selected" if member == chosen else ""
                options += f'<option value="{member}" translate="no"{mark}>{esc(said_so)}</option>'
    return f'<label class="field"><span>{label}</span><select name="{name}">{options}</select></label>'
