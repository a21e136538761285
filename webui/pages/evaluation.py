"""`/evaluation?run=ID&prompt=N&a=STEP&b=STEP`: the fixed prompts of a run and its greedy answers to them over time."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import gradio as gr

from core.records.evaluation import EvaluationPrompt, Reply
from core.records.run import Run
from core.store.rollouts.evaluation import list_questions, trained_on
from core.store.runs import queries
from core.units import plural
from webui.components.completions import bar_range, fields_view, one_line, reward_pill, reward_strip, snippet
from webui.components.difference import difference
from webui.components.line_chart import line_chart
from webui.components.live import live, still
from webui.pages.completions import RUNS, completions_title, nothing_yet, unread, whole
from webui.pages.frame import QUIET, or_else, page_body
from webui.present import esc, folded, marked, own, reward, skeleton
from webui.services import Services

SHOWN = 60  # rewards in a row, the last ones
TRAINED = ' <span class="mark-flat" title="The run was trained on this prompt too">trained on</span>'


def build(app: gr.Blocks, services: Services) -> None:
    with page_body():
        heading = live(skeleton(2), elem_id="heading")
        with gr.Row(elem_classes="split"):
            with gr.Column(elem_classes="card", scale=5, min_width=320):
                still("<h2>Mean reward of the greedy answers by step</h2>")
                chart = live(skeleton(6), elem_id="chart")
            with gr.Column(elem_classes="card", scale=7, min_width=320):
                table = live(skeleton(6), elem_id="questions")
        with gr.Column(elem_classes="card"):
            compared = live(skeleton(6), elem_id="compared")

    @or_else(lambda error: [unread(error, "The evaluation could not be read"), "", "", ""])
    def arrive(request: gr.Request) -> list[Any]:
        return [*render(services, dict(request.query_params))]

    app.load(arrive, None, [heading, chart, table, compared], **QUIET)


def render(services: Services, asked: Mapping[str, str]) -> tuple[str, str, str, str]:
    """(title, chart, the prompts, two answers to one of them)."""
    with services.database.reading() as connection:
        runs = queries.list_runs(connection, limit=RUNS)
        known = [run for run in runs if (run.step and not run.unreadable) or run.id == asked.get("run")]
        if not known and not asked.get("run"):
            return nothing_yet(services), "", "", ""
        run = queries.get_run(connection, asked["run"]) if asked.get("run") else known[0]
        questions = [one for one in list_questions(connection, run.id) if one.replies]
        trained = trained_on(connection, run.id, questions)
    title = completions_title("Completions", run, known, "evaluation")
    if not questions:
        return title, "", _none(run), ""
    number = whole(asked.get("prompt")) or 1
    chosen = questions[min(number, len(questions)) - 1]
    return (
        title,
        line_chart(_chart(questions, trained), "Mean reward of the greedy answers by step"),
        _table(run.id, questions, chosen, trained),
        _compared(run.id, chosen, asked),
    )


def _none(run: Run) -> str:
    every = run.config.evaluate_every
    why = (
        f"Every {every} steps the policy answers a few fixed prompts greedily. Nothing has been answered yet."
        if every
        else "This run was launched with evaluate_every 0."
    )
    return f'<h2>Fixed prompts</h2><p class="soft">{why}</p>'


def _chart(questions: Sequence[EvaluationPrompt], trained: Collection[int]) -> dict[str, Any]:
    """All answers, and where only some of the prompts were trained on, those to the others."""
    others = [one for one in questions if one.number not in trained]
    steps = sorted({reply.step for one in questions for reply in one.replies})
    series = [{"name": "Greedy answers", "colour": "--series-1", "values": _means(questions, steps), "main": True}]
    if trained and others:
        apart = {"name": "Those not trained on", "colour": "--series-2", "values": _means(others, steps), "main": False}
        series.append(apart)
    return {"steps": steps, "series": series}


def _means(questions: Sequence[EvaluationPrompt], steps: Sequence[int]) -> list[float | None]:
    earned: dict[int, list[float]] = {}
    for reply in (reply for one in questions for reply in one.replies):
        if reply.reward is not None:
            earned.setdefault(reply.step, []).append(reply.reward)
    return [sum(earned[step]) / len(earned[step]) if step in earned else None for step in steps]


def _table(
    run_id: str, questions: Sequence[EvaluationPrompt], chosen: EvaluationPrompt, trained: Collection[int]
) -> str:
    low, high = bar_range(reply.reward for one in questions for reply in one.replies)
    rows = ""
    for one in questions:
        last = one.replies[-1]
        current = " aria-current=true" if one is chosen else ""
        known = TRAINED if one.number in trained else ""
        rows += (
            f'<tr><td><a href="evaluation?run={esc(run_id)}&amp;prompt={one.number + 1}"{current}>'
            f'<span translate="no">{marked(snippet(one.prompt))}</span></a>{known}</td>'
            f"<td>{reward_strip([reply.reward for reply in one.replies[-SHOWN:]], low, high)}</td>"
            f'<td class="number">{reward(last.reward)}</td><td class="mono">{marked(one_line(last.text))}</td></tr>'
        )
    heads = "".join(
        f'<th scope="col"{" class=number" if name == "Now" else ""}>{name}</th>'
        for name in ("Prompt", "Reward by step", "Now", "Answer")
    )
    times = plural(len(questions[0].replies), "time")
    return (
        f'<h2>Fixed prompts<span class="hint">Asked {times}, apart from training, and answered greedily</span></h2>'
        f'<p class="soft">{_apart(len(trained), len(questions))}</p>'
        '<div class="scroll" tabindex="0" role="region" aria-label="Fixed prompts">'
        f'<table class="table"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _apart(trained: int, count: int) -> str:
    """Whether the prompts say what the policy can do beyond what it was trained on."""
    if not trained:
        return "The run was trained on none of them."
    return f"The run was trained on {trained} of these {count} too: its recipe has too few other prompts."


def _compared(run_id: str, one: EvaluationPrompt, asked: Mapping[str, str]) -> str:
    """The prompt, two of its answers, and what differs."""
    left, right = _at(one, asked.get("a"), one.replies[0]), _at(one, asked.get("b"), one.replies[-1])
    form = (
        '<form class="find" method="get" action="evaluation">'
        f'<input type="hidden" name="run" value="{esc(run_id)}">'
        f'<input type="hidden" name="prompt" value="{one.number + 1}">'
        f'<div class="find-line pair-of-answers">{_choice("a", "From", one, left)}{_choice("b", "to", one, right)}'
        '<button class="small-button">Compare</button></div></form>'
    )
    cards = "".join(_card(reply) for reply in ((left,) if left is right else (left, right)))
    same = '<p class="soft">Both are the same, word for word.</p>' if left.text == right.text else ""
    legend = '<p class="soft"><del>only in the first</del> <ins>only in the second</ins></p>'
    return (
        f'<h2>Prompt {one.number + 1}</h2><div class="prompt">{folded(one.prompt)}</div>{fields_view(one.fields)}'
        f'<h2>Two answers compared</h2>{form}<ol class="answers">{cards}</ol><h2>Difference, word by word</h2>'
        f"{same or legend}{difference(left.text, right.text)}"
    )


def _at(one: EvaluationPrompt, text: Any, otherwise: Reply) -> Reply:
    step = whole(text, least=0)
    return next((reply for reply in one.replies if reply.step == step), otherwise)


def _choice(name: str, label: str, one: EvaluationPrompt, chosen: Reply) -> str:
    options = "".join(
        f'<option value="{reply.step}"{" selected" if reply is chosen else ""}>'
        f"{_when(reply)}: reward {reward(reply.reward)}</option>"
        for reply in one.replies
    )
    return f'<label class="field"><span>{label}</span><select name="{name}">{options}</select></label>'


def _card(reply: Reply) -> str:
    scores = "".join(f"<span>{own(score.function)} {reward(score.value)}</span>" for score in reply.scores)
    cut = '<span class="cut" title="Stopped at completion_tokens">cut</span>' if reply.finish_reason == "length" else ""
    return (
        f'<li class="answer">{reward_pill(reply)}<div class="answer-text"><p class="origin">{_when(reply)}</p>'
        f'{folded(reply.text)}</div><span class="answer-notes">{scores}{cut}'
        f"<span>{plural(reply.length, 'token')}</span></span></li>"
    )


def _when(reply: Reply) -> str:
    return f"After step {reply.step}" if reply.step else "Before the first step"
