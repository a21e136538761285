"""`/`: choose, see where the memory will go, launch."""

import json
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import gradio as gr
from gradio.components import Component

from core import jobs
from core.catalogue import BaseModel
from core.config import RunConfig
from core.errors import InvalidInput
from core.recipes import RECIPES, compose
from core.units import gib, parameters
from webui import forms
from webui.components.budget_bar import budget_bar
from webui.components.launch_panels import computed_view, reasons_view, recipe_view
from webui.components.live import live, still
from webui.pages.frame import QUIET, frame, page_body, said, title
from webui.present import capitalised, esc, panel, skeleton
from webui.services import Services

DEFAULT_MODEL = "smollm2-135m"
Form = dict[str, Component]


def build(app: gr.Blocks, services: Services) -> None:
    frame("Launch")
    with page_body():
        still(title("Launch a run", "Choose what to train and on what; see where every byte of memory will go."))
        notice = live(elem_id="notice")
        with gr.Row(elem_classes="split", equal_height=False):
            with gr.Column(elem_classes="form-side", scale=6, min_width=320):
                form, about = _form(services)
            with gr.Column(elem_classes="plan-side", scale=5, min_width=320):
                with gr.Row(elem_classes="title-line"):
                    still("<h2>Memory plan</h2>")
                    best = gr.Button("Best settings for this GPU", size="sm", scale=0, elem_id="best-settings")
                chosen = live(elem_id="best-reasons")
                plan = live(skeleton(6), elem_id="plan")
                still(computed_view(jobs.worked_example(services.settings)), elem_id="computed")
                name = gr.Textbox(
                    label="Name",
                    max_lines=1,
                    elem_id="field-name",
                    visible=not services.read_only,
                    placeholder="Made from the settings when left empty",
                )
                insist = gr.Checkbox(
                    label="Launch although the plan does not fit",
                    elem_id="insist",
                    visible=False,  # until a plan does not fit
                )
                button = gr.Button(
                    "Launch run",
                    variant="primary",
                    interactive=False,
                    elem_id="launch-run",
                    visible=not services.read_only,
                )
                outcome = live(elem_id="outcome")
    starting, request = gr.State({}), gr.State("")
    _register(app, services, form, [starting, about, plan, insist])
    _register_best(services, form, best, [chosen, plan, insist])
    app.load(lambda: _readiness(services), None, [request, notice, button], **QUIET)
    if not services.read_only:
        _register_launch(services, form, [request, name, insist], button, outcome)


def _form(services: Services) -> tuple[Form, gr.HTML]:
    """Every control by its field's name, in `forms.field_order`, and the panel about the recipe."""
    form: Form = {}
    with gr.Column(elem_classes="card"):
        form["model"] = gr.Dropdown(
            [(_model_label(model), model.alias) for model in services.catalogue.models],
            value=DEFAULT_MODEL,
            allow_custom_value=True,
            label="Base model",
            info="One of the catalogue, or any Hub id or local folder.",
            elem_id="field-model",
        )
        with gr.Row(elem_classes="pair"):
            gpus = _gpu_choices(services)
            form["gpu"] = gr.Dropdown(
                gpus, value=gpus[0][1], label="GPU", info=forms.form_field("gpu").hint, elem_id="field-gpu"
            )
            form["rank"] = gr.Dropdown(
                forms.rank_choices(),
                allow_custom_value=True,
                label="LoRA rank",
                info=forms.form_field("rank").hint,
                elem_id="field-rank",
            )
    with gr.Column(elem_classes="card"):
        form["recipe"] = gr.Dropdown(
            [(recipe.title, recipe.name) for recipe in RECIPES],
            value=RECIPES[0].name,
            label="Recipe",
            info=forms.form_field("recipe").hint,
            elem_id="field-recipe",
        )
        about = live(recipe_view(RECIPES[0].name), elem_id="recipe-about")
    with gr.Column(elem_classes="card"), gr.Row(elem_classes="knobs"):
        for field in forms.MAIN:
            form[field] = forms.control(field)
    with gr.Accordion("Advanced", open=False, elem_id="advanced", elem_classes="card"):
        for heading, names in forms.sections().items():
            still(f"<h3>{esc(heading)}</h3>")
            with gr.Row(elem_classes="knobs"):
                for field in names:
                    form[field] = forms.control(field)
    return {field: form[field] for field in forms.field_order()}, about


def _register(app: gr.Blocks, services: Services, form: Form, outputs: list[Component]) -> None:
    """What only reads: starting values, the recipe's panel and the memory plan."""
    fields = list(form.values())
    identity = [form[name] for name in forms.IDENTITY]

    def begin(starting: dict[str, Any], *given: Any) -> list[Any]:
        try:
            fresh, filled = _starting_values(forms.named(given), starting)
        except Exception as error:
            problem = said(error, "These choices do not go together")
            return [gr.skip(), gr.skip(), problem, gr.skip(), *(gr.skip() for _ in fields)]
        return [fresh, recipe_view(filled["recipe"]), *plan_view(services, filled), *filled.values()]

    def redraw(*given: Any) -> list[Any]:
        return plan_view(services, forms.named(given))

    def arrive(request: gr.Request, starting: dict[str, Any], *given: Any) -> list[Any]:
        like = request.query_params.get("like", "")
        if not like:
            return begin(starting, *given)
        try:
            changes = _changes(request.query_params.get("with", ""))
            config = jobs.config_like(services.database, like, changes)
            filled = forms.shown(config)
            fresh, _ = _starting_values(filled, {})
        except Exception as error:
            problem = said(error, "That run's settings cannot be used")
            return [gr.skip(), gr.skip(), problem, gr.skip(), *(gr.skip() for _ in fields)]
        return [fresh, recipe_view(filled["recipe"]), *plan_view(services, filled), *filled.values()]

    everything = [*outputs, *fields]
    app.load(arrive, [outputs[0], *fields], everything, **QUIET)
    latest = {**QUIET, "trigger_mode": "always_last"}  # while one answer is on its way only the last change waits
    gr.on([control.input for control in identity], begin, [outputs[0], *fields], everything, **latest)  # type: ignore[attr-defined]
    knobs = [control for control in fields if control not in identity]
    gr.on([control.input for control in knobs], redraw, fields, outputs[2:], **latest)  # type: ignore[attr-defined]


def _register_best(services: Services, form: Form, button: gr.Button, outputs: list[Component]) -> None:
    """Fills in what this device can do best and says why, field by field."""
    fields = list(form.values())

    def fill(*given: Any) -> list[Any]:
        values = forms.named(given)
        try:
            config = _config(values)
            best = jobs.best_settings(services.settings, config)
            filled = forms.shown(config.model_copy(update={"max_lora_rank": None, **best.overrides}))
        except Exception as error:
            return [said(error, "No settings to recommend"), gr.skip(), gr.skip(), *(gr.skip() for _ in fields)]
        return [reasons_view(best), *plan_view(services, filled), *filled.values()]

    button.click(fill, fields, [*outputs, *fields], **QUIET)


def _register_launch(
    services: Services, form: Form, about: list[Component], button: gr.Button, outcome: gr.HTML
) -> None:
    """`about` is what the launch needs besides the config: request, name, insist."""

    def launch(request: str, name: str, insist: bool, *given: Any) -> Iterator[list[Any]]:
        yield [gr.Button("Launching", interactive=False), ""]
        try:
            config = _config(forms.named(given))
            run = jobs.submit(
                services.database, services.settings, config, name=name, request=request or None, insist=bool(insist)
            )
        except Exception as error:
            yield [gr.Button("Launch run", interactive=True), said(error, "The run was not launched")]
        else:
            yield [gr.skip(), opened(run.id)]

    button.click(launch, [*about, *form.values()], [button, outcome], **QUIET)


def _changes(text: str) -> dict[str, Any]:
    """Fields to change, from the address: a JSON object, checked like any other input by what makes a config of it."""
    try:
        found = json.loads(text or "{}")
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise InvalidInput("with", text, "which is not a JSON object", "follow the link on a run's page again")
    return found


def _readiness(services: Services) -> list[Any]:
    """A fresh request for this page load, and why the button is not to be pressed, if so."""
    if services.read_only:
        note = panel("notice", "This dashboard is read-only", "Plans can be made here; runs are launched elsewhere.")
        return [gr.skip(), note, gr.skip()]
    stack = jobs.stack_report()
    heading = "Sampling will be slow here" if stack.can_train else "This machine cannot train yet"
    note = panel("notice", heading, stack.sentence) if stack.sentence else ""
    return [uuid.uuid4().hex, note, gr.Button("Launch run", interactive=stack.can_train)]


def _starting_values(values: Mapping[str, Any], earlier: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the recipe starts with for this model and GPU, and the same with the reader's changes kept."""
    model, gpu, recipe = (str(values[name]).strip() for name in forms.IDENTITY)
    fresh = forms.shown(compose(recipe, model, gpu, {}))
    return fresh, {**fresh, **(forms.edits(values, earlier) if earlier else {})}


def _config(values: Mapping[str, Any]) -> RunConfig:
    overrides = forms.parse(values)
    model, gpu, recipe = (overrides.pop(name) for name in forms.IDENTITY)
    return compose(recipe, model, gpu, overrides)


def plan_view(services: Services, values: Mapping[str, Any]) -> list[Any]:
    """The plan, and the box for launching all the same: only there when the plan does not fit."""
    try:
        config = _config(values)
        planned = jobs.preview(services.settings, config)
        advice = () if planned.fits else jobs.remedies(services.settings, config)
        sentences = [remedy.sentence for remedy in advice]
        doubt = jobs.doubt(services.settings, config)
        bars = budget_bar(planned, _device_name(services, config.gpu), sentences, doubt)
    except Exception as error:
        return [said(error, "No plan for these values"), gr.Checkbox(value=False, visible=False)]
    insist = gr.Checkbox(visible=True) if not planned.fits else gr.Checkbox(value=False, visible=False)
    return [bars, gr.skip() if services.read_only else insist]


def opened(run_id: str) -> str:
    """A link to the new run that the page follows by itself."""
    return f'<p class="soft"><a data-go href="run?id={esc(run_id)}">Open the run</a></p>'


def _model_label(model: BaseModel) -> str:
    builtin = " · built in" if model.builtin else ""
    return f"{model.name} · {parameters(model.parameters)} · {model.licence}{builtin}"


def _gpu_choices(services: Services) -> list[tuple[str, str]]:
    """The device that is here comes first."""
    here = jobs.detected_gpu()
    label = f"{capitalised(here.name)} · {gib(here.memory_bytes)}{'' if here.kind == 'cpu' else ' · in this machine'}"
    rest = [gpu for gpu in services.catalogue.gpus if gpu.id != here.id]
    return [(label, here.id), *((f"{gpu.name} · {gib(gpu.memory_bytes)}", gpu.id) for gpu in rest)]


def _device_name(services: Services, gpu: str) -> str:
    names = {profile.id: capitalised(profile.name) for profile in (*services.catalogue.gpus, jobs.detected_gpu())}
    return names.get(gpu, gpu)
