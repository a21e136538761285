"""`/`: choose, see where the memory will go, launch."""

import json
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

import gradio as gr
from gradio.components import Component

from core.errors import InvalidInput
from core.installation import detected_gpu, stack_report
from core.jobs import submission
from core.planning.recommended import best_settings, worked_example
from core.planning.resolved_run import resolve
from core.tasks.registry import RECIPES
from core.units import plural
from webui import forms
from webui.components.copy_as import field_errors
from webui.components.launch_panels import computed_view, reasons_view, recipe_view
from webui.components.live import live, still
from webui.language import words
from webui.pages.frame import QUIET, TICK, error_panel, or_else, page_body, pulse, title
from webui.pages.launch_form import (
    config_of,
    filled_in,
    gpu_choices,
    model_choices,
    plan_view,
    refused,
    starting_values,
    task_choices,
)
from webui.pages.launch_presets import build_presets, register_presets
from webui.present import esc, panel, skeleton
from webui.services import Services

DEFAULT_MODEL = "smollm2-135m"
Form = dict[str, Component]


def build(app: gr.Blocks, services: Services) -> None:
    with page_body():
        still(
            title(
                "Launch a run",
                "Filled in for a first run: launch it as it is, or change anything and see where the memory goes.",
            )
        )
        notice, problem = live(elem_id="notice"), live(elem_id="problem")
        with gr.Row(elem_classes="split", equal_height=False):
            with gr.Column(elem_classes="form-side", scale=6, min_width=320):
                form, about = _form(services)
                kept = build_presets(services)
            with gr.Column(elem_classes="plan-side", scale=5, min_width=320):
                panels = _plan_side(services)
                button, outcome = panels.pop("button"), panels.pop("outcome")
        listening = live(elem_id="pulse")
    starting, request, stands = gr.State({}), gr.State(""), gr.State(None)
    shown = [starting, about, panels["plan"], panels["insist"], panels["errors"], panels["same"]]
    _register(app, services, form, shown, problem)
    _register_best(services, form, panels["best"], [panels["chosen"], *shown[2:]])
    register_presets(app, services, form, kept, shown)
    ready = [notice, button, listening, stands]
    place = [form["gpu"], form["device"]]

    def begun(*chosen: str) -> list[Any]:
        return [uuid.uuid4().hex, *_readiness(services, None, *chosen)]

    def again(before: str | None, *chosen: str) -> list[Any]:
        return _readiness(services, before, *chosen)

    app.load(begun, place, [request, *ready], **QUIET)
    listening.tick(again, [stands, *place], ready, **TICK)
    gr.on([control.input for control in place], again, [stands, *place], ready, **QUIET)  # type: ignore[attr-defined]
    if not services.read_only:
        about_run = [request, panels["name"], panels["insist"]]
        _register_launch(services, form, about_run, button, [outcome, panels["errors"]])


def _plan_side(services: Services) -> dict[str, Any]:
    """What launches the run, in sight from the start, and below it the memory plan."""
    panels: dict[str, Any] = {}
    panels["name"] = gr.Textbox(
        label=words("Name"),
        max_lines=1,
        elem_id="field-name",
        visible=not services.read_only,
        placeholder=words("Made from the settings when left empty"),
    )
    panels["insist"] = gr.Checkbox(
        label=words("Launch although the plan does not fit"),
        elem_id="insist",
        visible=False,  # until a plan does not fit
    )
    panels["button"] = gr.Button(
        words("Launch run"),
        variant="primary",
        interactive=False,
        elem_id="launch-run",
        visible=not services.read_only,
    )
    panels["outcome"] = live(elem_id="outcome")
    with gr.Row(elem_classes="title-line"):
        still("<h2>Memory plan</h2>")
        panels["best"] = gr.Button(words("Best settings for this GPU"), size="sm", scale=0, elem_id="best-settings")
    panels["chosen"] = live(elem_id="best-reasons")
    panels["plan"] = live(skeleton(6), elem_id="plan")
    panels["errors"] = live(elem_id="errors")
    still(computed_view(worked_example(services.catalogue)), elem_id="computed")
    panels["same"] = live(elem_id="same")
    return panels


def _form(services: Services) -> tuple[Form, gr.HTML]:
    """Every control by its field's name, in `forms.field_order`, and the panel about the recipe."""
    form: Form = {}
    with gr.Column(elem_classes="card"):
        form["model"] = gr.Dropdown(
            model_choices(services, detected_gpu().id),
            value=DEFAULT_MODEL,
            allow_custom_value=True,
            label=words("Base model"),
            info=words("One of the catalogue, or any Hub id or local folder."),
            elem_id="field-model",
        )
        with gr.Row(elem_classes="pair"):
            gpus = gpu_choices(services)
            form["gpu"] = gr.Dropdown(
                gpus,
                value=gpus[0][1],
                label=words("GPU"),
                info=words(forms.form_field("gpu").hint),
                elem_id="field-gpu",
            )
            form["rank"] = gr.Dropdown(
                forms.rank_choices(),
                allow_custom_value=True,
                label=words("LoRA rank"),
                info=words(forms.form_field("rank").hint),
                elem_id="field-rank",
            )
    with gr.Column(elem_classes="card"):
        form["recipe"] = gr.Dropdown(
            task_choices(services),
            value=RECIPES[0].name,
            allow_custom_value=True,  # a task may be saved while the page is open
            label=words("Task"),
            info=words(forms.form_field("recipe").hint),
            elem_id="field-recipe",
        )
        about = live(recipe_view(RECIPES[0].name, services.settings.tasks), elem_id="recipe-about")
    with gr.Column(elem_classes="card"), gr.Row(elem_classes="knobs"):
        for field in forms.MAIN:
            form[field] = forms.control(field)
    with gr.Accordion(words("Advanced"), open=False, elem_id="advanced", elem_classes="card"):
        for heading, names in forms.sections().items():
            still(f"<h3>{esc(heading)}</h3>")
            with gr.Row(elem_classes="knobs"):
                for field in names:
                    form[field] = forms.control(field)
    return {field: form[field] for field in forms.field_order()}, about


def _register(app: gr.Blocks, services: Services, form: Form, outputs: list[Component], problem: Component) -> None:
    """What only reads: starting values, the recipe's panel and the memory plan; `problem` is with the address."""
    fields = list(form.values())
    identity = [form[name] for name in forms.IDENTITY]

    @or_else(lambda error: refused(error, "These choices do not go together", len(fields)))
    def begin(starting: dict[str, Any], *given: Any) -> list[Any]:
        fresh, filled = starting_values(forms.named(given), starting, services.settings.tasks)
        about = recipe_view(filled["recipe"], services.settings.tasks)
        return [fresh, about, *plan_view(services, filled), *filled.values()]

    def redraw(*given: Any) -> list[Any]:
        return plan_view(services, forms.named(given))

    def relabel(gpu: str) -> Any:
        return gr.Dropdown(choices=model_choices(services, gpu))

    def arrive(request: gr.Request, starting: dict[str, Any], *given: Any) -> list[Any]:
        like = request.query_params.get("like", "")
        if not like:
            return ["", *begin(starting, *_with_task(given, request.query_params.get("task", "")))]

        def without(error: Exception) -> list[Any]:
            """The form is usable all the same."""
            return [error_panel(error, "That run's settings cannot be used"), *begin(starting, *given)]

        @or_else(without)
        def with_its_settings() -> list[Any]:
            changes = _changes(request.query_params.get("with", ""))
            return ["", *filled_in(services, submission.config_like(services.database, like, changes))]

        return with_its_settings()

    everything = [*outputs, *fields]
    app.load(lambda: gr.Dropdown(choices=task_choices(services)), None, form["recipe"], **QUIET)
    app.load(arrive, [outputs[0], *fields], [problem, *everything], **QUIET)
    latest = {**QUIET, "trigger_mode": "always_last"}  # while one answer is on its way only the last change waits
    gr.on([control.input for control in identity], begin, [outputs[0], *fields], everything, **latest)  # type: ignore[attr-defined]
    knobs = [control for control in fields if control not in identity]
    gr.on([control.input for control in knobs], redraw, fields, outputs[2:], **latest)  # type: ignore[attr-defined]
    form["gpu"].input(relabel, form["gpu"], form["model"], **latest)  # type: ignore[attr-defined]


def _register_best(services: Services, form: Form, button: gr.Button, outputs: list[Component]) -> None:
    """Fills in what this device can do best and says why, field by field."""
    fields = list(form.values())

    @or_else(
        lambda error: [error_panel(error, "No settings to recommend"), *(gr.skip() for _ in range(4 + len(fields)))]
    )
    def fill(*given: Any) -> list[Any]:
        config = config_of(forms.named(given), services.settings.tasks)
        best = best_settings(services.settings, resolve(services.settings, config))
        filled = forms.shown(config.model_copy(update={"max_lora_rank": None, **best.overrides}))
        return [reasons_view(best), *plan_view(services, filled), *filled.values()]

    button.click(fill, fields, [*outputs, *fields], **QUIET)


def _register_launch(
    services: Services, form: Form, about: list[Component], button: gr.Button, outputs: list[Component]
) -> None:
    """`about` is what the launch needs besides the config: request, name, insist."""

    def launch(request: str, name: str, insist: bool, *given: Any) -> Iterator[list[Any]]:
        yield [gr.Button(words("Launching"), interactive=False), "", gr.skip()]
        chosen = forms.named(given)

        @or_else(lambda error: _not_launched(services, chosen, error))
        def launched() -> list[Any]:
            run = submission.submit(
                services.database,
                services.settings,
                config_of(chosen, services.settings.tasks),
                name=name,
                request=request or None,
                insist=bool(insist),
            )
            return [gr.skip(), opened(run.id), gr.skip()]

        yield launched()

    button.click(launch, [*about, *form.values()], [button, *outputs], **QUIET)


def _not_launched(services: Services, chosen: dict[str, Any], error: Exception) -> list[Any]:
    """[button, outcome, errors]: the button as it was, why there is no run, and that under its field too."""
    gpu, device = str(chosen["gpu"]), str(chosen["device"] or "auto")
    word = _word(*submission.queue_position(services.database, services.settings, gpu, device))
    return [
        gr.Button(words(word), interactive=True),
        error_panel(error, "The run was not launched"),
        field_errors([error]),
    ]


def _with_task(given: Sequence[Any], task: str) -> list[Any]:
    """The form's values with the task that the address names."""
    values = forms.named(given)
    return [*{**values, "recipe": task or values["recipe"]}.values()]


def _changes(text: str) -> dict[str, Any]:
    """Fields to change, from the address: a JSON object, checked like any other input by what makes a config of it."""
    try:
        found = json.loads(text or "{}")
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise InvalidInput("with", text, "which is not a JSON object", "follow the link on a run's page again")
    return found


def _readiness(services: Services, before: str | None, gpu: str, device: str) -> list[Any]:
    """[notice, button, pulse, what they say]: why the button is not to be pressed, or what the run will wait for."""
    token = services.shared.token()
    listening = pulse(token, beats=not services.read_only)
    note, button = "", gr.skip()
    stack = stack_report()
    if services.read_only:
        note = panel("notice", "This dashboard is read-only", "Plans can be made here; runs are launched elsewhere.")
    else:
        at_work, waiting = submission.queue_position(
            services.database, services.settings, str(gpu), str(device or "auto")
        )
        if stack.sentence:
            heading = "Sampling will be slow here" if stack.can_train else "This machine cannot train yet"
            note = panel("notice", heading, stack.sentence)
        if stack.can_train:
            note += _busy_note(at_work, waiting)
        button = gr.Button(words(_word(at_work, waiting)), interactive=stack.can_train)
    if before == note:
        return [gr.skip(), gr.skip(), listening, gr.skip()]
    return [note, button, listening, note]


def _word(at_work: str, waiting: int) -> str:
    return "Queue run" if at_work or waiting else "Launch run"


def _busy_note(at_work: str, waiting: int) -> str:
    if not at_work and not waiting:
        return ""
    before = f", after {plural(waiting, 'run')} that {'waits' if waiting == 1 else 'wait'} already" if waiting else ""
    running = f"{at_work} is using the device" if at_work else "Another run starts first"
    return panel("quiet", "The device is busy", f"{running}; this run will be queued and starts by itself{before}.")


def opened(run_id: str) -> str:
    """A link to the new run that the page follows by itself."""
    return f'<p class="soft"><a data-go href="run?id={esc(run_id)}">Open the run</a></p>'
