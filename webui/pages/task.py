"""`/task?name=NAME`: what a task asks and how it scores; its rows checked, its rewards attacked, a few rows tried."""

import itertools
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import gradio as gr

from core.errors import InvalidInput
from core.installation import detected_gpu
from core.jobs.benching import bench_task
from core.jobs.trying import try_task
from core.tasks.gym import distinct_prompts
from core.tasks.own.approvals import approvals, approve, own_codes
from core.tasks.own.examination import examine
from core.tasks.own.saved import find_saved
from core.tasks.registry import RECIPES, compose, get_recipe, own_task, task_files
from core.tasks.sandbox.levels import PLAIN
from core.tasks.sandbox.probe import probe
from core.tasks.task import Task
from core.units import thin
from webui.components.live import live, still
from webui.components.task_view import (
    bench_view,
    examination_view,
    file_view,
    prompt_view,
    protection_view,
    rewards_table,
    trial_view,
)
from webui.language import words
from webui.pages.frame import QUIET, error_panel, or_else, page_body
from webui.pages.launch_form import model_choices
from webui.present import empty_state, esc, own, panel, skeleton
from webui.services import Services

EXAMPLES = 2
DEFAULT_MODEL = "smollm2-135m"
CHECK = "Every row is looked at, then the rewards are attacked with texts that should and should not score."
TRY = "The base model answers a few prompts in two real steps; what it samples is kept nowhere."


def build(app: gr.Blocks, services: Services) -> None:
    name = gr.State("")
    with page_body():
        heading = live(skeleton(2), elem_id="heading")
        with gr.Row(elem_classes="split", equal_height=False):
            with gr.Column(scale=6, min_width=320):
                with gr.Column(elem_classes="card"):
                    examples = live(skeleton(6), elem_id="examples")
                with gr.Column(elem_classes="card"):
                    files = live(skeleton(3), elem_id="files")
            with gr.Column(scale=6, min_width=320):
                with gr.Column(elem_classes="card"):
                    rewards = live(skeleton(4), elem_id="rewards")
                    agree = gr.Button(words("I have read it: let it score"), visible=False, elem_id="agree")
                    consent = gr.Checkbox(
                        label=words("Also without protection, which this machine cannot give"),
                        visible=False,
                        elem_id="consent",
                    )
                with gr.Column(elem_classes="card"):
                    still(f"<h2>Check rows and rewards</h2><p class='soft'>{CHECK}</p>")
                    with gr.Row(elem_classes="buttons-line"):
                        check = gr.Button(words("Check"), size="sm", scale=0, elem_id="check-task")
                    checked = live(elem_id="checked")
        with gr.Column(elem_classes="card", visible=not services.read_only):
            still(f"<h2>Try before you train</h2><p class='soft'>{TRY}</p>")
            with gr.Row(elem_classes="knobs"):
                model = gr.Dropdown(
                    model_choices(services, detected_gpu().id),
                    value=DEFAULT_MODEL,
                    allow_custom_value=True,
                    label=words("Base model"),
                    elem_id="field-try-model",
                )
                rows = gr.Number(4, precision=0, label=words("Prompts"), elem_id="field-try-rows")
                price = gr.Number(0, label=words("Price of an hour"), elem_id="field-try-price")
            with gr.Row(elem_classes="buttons-line"):
                tried_it = gr.Button(words("Try it"), size="sm", scale=0, elem_id="try-task")
            tried = live(elem_id="tried")

    @or_else(lambda error: ["", error_panel(error, "This task cannot be shown"), "", "", "", gr.skip(), gr.skip()])
    def arrive(request: gr.Request) -> list[Any]:
        asked = request.query_params.get("name", "")
        return [asked, *render(services, asked), *_agreement(services, asked)]

    app.load(arrive, None, [name, heading, examples, rewards, files, agree, consent], **QUIET)
    check.click(partial(_checked, services), name, [checked, check], **QUIET)
    if not services.read_only:
        tried_it.click(partial(_tried, services), [name, model, rows, price], [tried, tried_it], **QUIET)
        agree.click(partial(_agreed, services), [name, consent], [rewards, agree, consent], **QUIET)


def render(services: Services, name: str) -> list[str]:
    """[heading, examples, rewards, files]."""
    if not name:
        return [empty_state("No task is named", "Choose one of the list.", "Tasks", "tasks"), "", "", ""]
    task = get_recipe(name, services.settings.tasks)
    return [_heading(services, task), _examples(task), _rewards(services, task), _files(services, name)]


def _heading(services: Services, task: Task) -> str:
    launch = f'<a class="main-button" href="./?{urlencode({"task": task.name})}">Launch with this task</a>'
    clone = ""
    if "@" in task.name:
        clone = f'<a class="small-button" href="task-archive?{urlencode({"name": task.name})}" download>Export</a> '
        if not services.read_only:
            clone += f'<a class="small-button" href="new-task?{urlencode({"from": task.name})}">Change a copy</a>'
    return (
        f'<div class="title-line"><div class="title"><h1>{own(task.title)}</h1><p lang="en">{esc(task.description)}</p>'
        f'</div><div class="ways">{clone} {launch}</div></div>'
    )


def _examples(task: Task) -> str:
    if task.needs_dataset:
        return panel("quiet", "Needs a data set", "Name it at Launch, in the field dataset.")
    shown = "".join(prompt_view(example.prompt, task.gold(example.fields)) for example in task.examples(EXAMPLES, 0))
    held_out = distinct = ""
    if task.held_out is not None:
        count = sum(1 for _ in itertools.islice(task.held_out(), 1000))
        held_out = f'<p class="soft">{count} rows are held out for evaluation and never trained on.</p>'
    else:
        found, looked = distinct_prompts(task.generate("", 0), seconds=0.5)
        distinct = f'<p class="soft">{thin(found)} distinct prompts among the first {thin(looked)}.</p>'
    return f"<h2>What it asks</h2>{held_out}{distinct}{shown}"


def _rewards(services: Services, task: Task) -> str:
    table = rewards_table(task.rewards, task.weights({}))
    codes = own_codes(task.rewards)
    if not codes:
        return f"<h2>Rewards</h2>{table}"
    agreed = codes[0].sha256 in approvals(services.settings.tasks)
    text = codes[0].path.read_text(encoding="utf-8", errors="replace")
    state = (
        panel("good", "You have agreed to this file", f"It may score as long as its sha256 is {codes[0].sha256}.")
        if agreed
        else panel("notice", "Read this file before it scores", "Nothing of it runs until you agree.")
    )
    code = f'<pre class="block" translate="no">{esc(text)}</pre><p class="soft mono">sha256 {codes[0].sha256}</p>'
    return f"<h2>Rewards</h2>{table}{state}{code}{protection_view(probe())}"


def _agreement(services: Services, name: str) -> list[Any]:
    """The button and the box of the second consent: there where a file waits."""
    codes = own_codes(get_recipe(name, services.settings.tasks).rewards) if name else ()
    waits = bool(codes) and codes[0].sha256 not in approvals(services.settings.tasks) and not services.read_only
    return [gr.Button(visible=waits), gr.Checkbox(visible=waits and probe() == PLAIN)]


def _agreed(services: Services, name: str, unprotected: bool) -> list[Any]:
    @or_else(lambda error: [error_panel(error, "The file was not agreed to"), gr.skip(), gr.skip()])
    def done() -> list[Any]:
        task = get_recipe(name, services.settings.tasks)
        approve(services.settings.tasks, own_codes(task.rewards)[0].sha256, bool(unprotected))
        return [_rewards(services, task), *_agreement(services, name)]

    return done()


def _files(services: Services, name: str) -> str:
    kept = "".join(map(file_view, task_files(name, services.settings.tasks)))
    where = ""
    if "@" in name:
        folder = find_saved(name, services.settings.tasks).folder
        where = (
            f'<p class="soft">Version <span class="mono" translate="no">{esc(name)}</span>, kept in '
            f'<span class="mono" translate="no">{esc(_short(folder))}</span>. It never changes; a changed copy is '
            "another version.</p>"
        )
    return f"<h2>Files</h2>{where}{kept}"


def _short(folder: Path) -> str:
    return f"tasks/{folder.name}"


def _checked(services: Services, name: str) -> Iterator[list[Any]]:
    """The rows, report by report, as they are looked at; then the rewards under attack."""
    busy = gr.Button(words("Checking"), interactive=False)
    ready = gr.Button(words("Check"), interactive=True)
    rows = ""
    try:
        yield [skeleton(3), busy]
        task = get_recipe(name, services.settings.tasks)
        if not any(recipe.name == name for recipe in RECIPES):
            mine = own_task(name, services.settings.tasks)
            if mine.spec.data.source:
                for found in examine(mine):
                    rows = examination_view(found)
                    yield [rows + skeleton(3), busy]
        if task.needs_dataset:
            yield [panel("quiet", "Needs a data set", "Its rewards are tried once there is one."), ready]
            return
        yield [rows + bench_view(bench_task(services.settings, task)), ready]
    except Exception as error:  # comes after reports that are shown already
        yield [rows + error_panel(error, "The check could not be made"), ready]


def _tried(services: Services, name: str, model: str, rows: Any, price: Any) -> Iterator[list[Any]]:
    """Each phase as it begins, and at last the completions."""
    busy, ready = gr.Button(words("Trying"), interactive=False), gr.Button(words("Try it"), interactive=True)
    try:
        yield [skeleton(3), busy]
        if not isinstance(rows, int) or not 1 <= rows <= 64:
            raise InvalidInput("Prompts", rows, "which cannot be", "choose a number from 1 to 64")
        overrides = {"prompts_per_step": rows}
        config = compose(name, str(model).strip(), detected_gpu().id, overrides, services.settings.tasks)
        for said in try_task(services.database, services.settings, config):
            if isinstance(said, str):
                yield [f'<p class="soft" role="status">{esc(said.capitalize())}…</p>{skeleton(3)}', busy]
            else:
                yield [trial_view(said, float(price or 0)), ready]
    except Exception as error:
        yield [error_panel(error, "The task was not tried"), ready]
