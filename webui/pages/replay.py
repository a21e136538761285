"""`/replay?run=ID&weight:NAME=W&function:NAME=F`: what stored completions would have earned under other rewards."""

from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from core.errors import InvalidInput
from core.insights.replay import FUNCTIONS, Replayed, Turn, largest_changes, make_reweighting, replay_step
from core.records.run import Run
from core.store.rollouts.load import list_groups
from core.store.runs import queries
from core.tasks.registry import get_recipe
from core.tasks.task import Task
from core.units import plural, thin
from webui.components.completions import one_line, permalink
from webui.components.line_chart import line_chart
from webui.components.live import live
from webui.pages.completions import RUNS, completions_title, nothing_sampled, nothing_yet, unread
from webui.pages.frame import QUIET, chart_beside, or_else, page_body
from webui.present import definitions, esc, marked, own, panel, reward, signed, skeleton
from webui.services import Services

MOST_STEPS = 100  # looked at, evenly over the run


def build(app: gr.Blocks, services: Services) -> None:
    with page_body():
        heading = live(skeleton(2), elem_id="heading")
        with gr.Column(elem_classes="card"):
            form = live(skeleton(4), elem_id="weights")
        chart, figures = chart_beside("Mean reward by step")
        with gr.Column(elem_classes="card"):
            changes = live(skeleton(4), elem_id="changes")

    @or_else(lambda error: [unread(error, "The rewards could not be replayed"), "", "", "", ""])
    def arrive(request: gr.Request) -> list[Any]:
        return [*render(services, dict(request.query_params))]

    app.load(arrive, None, [heading, form, chart, figures, changes], **QUIET)


def render(services: Services, asked: Mapping[str, str]) -> tuple[str, str, str, str, str]:
    """(title, form, chart, figures, the completions that change most)."""
    with services.database.reading() as connection:
        known = [run for run in queries.list_runs(connection, limit=RUNS) if run.step and not run.unreadable]
        if not known and not asked.get("run"):
            return nothing_yet(services), "", "", "", ""
        run = queries.get_run(connection, asked["run"]) if asked.get("run") else known[0]
        title = completions_title("Completions", run, known, "replay")
        task = get_recipe(run.config.recipe, services.settings.tasks)
        form = _form(task, run, asked)
        try:
            reweighting = make_reweighting(task, run.config, _weights(asked), _named(asked, "function:"))
        except InvalidInput as error:
            return title, form, "", panel("error", "This cannot be replayed", str(error)), ""
        numbers = [*range(1, run.step + 1, -(-run.step // MOST_STEPS) or 1)]
        steps = []
        for number in numbers:
            groups = sorted(list_groups(connection, run.id, number), key=lambda group: group.index)
            if groups:
                steps.append(replay_step(number, groups, reweighting, run.config))
    if not steps:
        return title, form, "", nothing_sampled(run), ""
    return (
        title,
        form,
        line_chart(_chart(steps), "Mean reward as trained and as replayed, by step"),
        _figures(steps, run),
        _changes(largest_changes(steps)),
    )


def _form(recipe: Task, run: Run, asked: Mapping[str, str]) -> str:
    usual = recipe.weights(run.config.reward_weights)
    rows = ""
    for each in recipe.rewards:
        weight, chosen = asked.get(f"weight:{each.name}", ""), asked.get(f"function:{each.name}", "")
        options = "".join(
            f'<option value="{name}"{" selected" if name == chosen else ""} translate="no">{name}</option>'
            for name in FUNCTIONS
        )
        rows += (
            f'<tr><th scope="row">{own(each.name)}<span class="soft" lang="en">{esc(each.about)}</span></th>'
            f'<td><input type="number" step="any" name="weight:{esc(each.name)}" value="{esc(weight)}" '
            f'placeholder="{usual[each.name]:g}" aria-label="Weight of {esc(each.name)}"></td>'
            f'<td><select name="function:{esc(each.name)}" aria-label="Function of {esc(each.name)}">'
            f'<option value="">as recorded</option>{options}</select></td></tr>'
        )
    return (
        f'<form class="find" method="get" action="replay"><input type="hidden" name="run" value="{esc(run.id)}">'
        '<table class="table weights"><thead><tr><th scope="col">Reward function</th><th scope="col">Weight</th>'
        f'<th scope="col">Scored by</th></tr></thead><tbody>{rows}</tbody></table>'
        '<p><button class="main-button">Replay</button> <span class="soft">Nothing is changed. What the policy would '
        "have sampled after other updates is not known.</span></p></form>"
    )


def _weights(asked: Mapping[str, str]) -> dict[str, float]:
    found = {}
    for name, text in _named(asked, "weight:").items():
        try:
            found[name] = float(text)
        except ValueError:
            raise InvalidInput(
                f"weight of {name}", text, "which is not a number", "write a number such as 0.5"
            ) from None
    return found


def _named(asked: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {name.removeprefix(prefix): text for name, text in asked.items() if name.startswith(prefix) and text.strip()}


def _chart(steps: Sequence[Replayed]) -> dict[str, Any]:
    trained = {"name": "As trained", "colour": "--series-1", "values": [step.reward for step in steps], "main": True}
    then = {"name": "Replayed", "colour": "--series-2", "values": [step.reward_then for step in steps], "main": False}
    return {"steps": [step.step for step in steps], "series": [trained, then]}


def _figures(steps: Sequence[Replayed], run: Run) -> str:
    turns = [turn for step in steps for turn in step.turns]
    turned = sum(turn.completion.advantage * turn.advantage < 0 for turn in turns)
    groups = sum(step.groups for step in steps)
    errors = next((turn.error for turn in turns if turn.error), "")
    before, then = _mean([step.reward for step in steps]), _mean([step.reward_then for step in steps])
    flat, flat_then = sum(step.flat for step in steps), sum(step.flat_then for step in steps)
    figures = [
        ("Mean reward", f'{reward(then)} <span class="soft">trained with {reward(before)}</span>'),
        ("Flat groups", f'{flat_then} <span class="soft">of {groups}, trained with {flat}</span>'),
        ("Advantage turned round", f'{turned / len(turns):.1%} <span class="soft">of {thin(len(turns))}</span>'),
    ]
    thinned = f" of {run.step}, evenly spaced" if len(steps) < run.step else ""
    failed = panel("notice", "A function could not score every completion", errors) if errors else ""
    return (
        f"<h2>What would have been</h2>{definitions(figures)}"
        f'<p class="soft">{plural(len(steps), "step")}{thinned}.</p>{failed}'
    )


def _changes(turns: Sequence[Turn]) -> str:
    if not turns:
        return '<h2>What changes most</h2><p class="soft">No advantage changes: training would have done the same.</p>'
    rows = ""
    for turn in turns:
        one = turn.completion
        rows += (
            f'<tr><td class="number">{one.step}</td>'
            f'<td class="number">{reward(one.reward)} → {reward(turn.reward)}</td>'
            f'<td class="number">{signed(one.advantage)} → {signed(turn.advantage)}</td>'
            f'<td class="mono"><span class="one-line">{marked(one_line(one.text))}</span></td>'
            f'<td><a href="{permalink(one)}">Open</a></td></tr>'
        )
    heads = "".join(
        f'<th scope="col"{" class=number" if name in ("Step", "Reward", "Advantage") else ""}>{name}</th>'
        for name in ("Step", "Reward", "Advantage", "Answer", "")
    )
    table = f'<table class="table"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>'
    return (
        "<h2>What changes most</h2>"
        f'<div class="scroll" tabindex="0" role="region" aria-label="Completions that change">{table}</div>'
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
