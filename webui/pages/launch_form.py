"""What the launch page's handlers share: the form's values as a config and back, the plan, and what can be chosen."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gradio as gr

from core.catalogue import BaseModel
from core.config import RunConfig
from core.errors import InvalidInput
from core.installation import detected_gpu
from core.planning import calibration
from core.planning.recommended import fitting_models
from core.planning.remedies import remedies
from core.planning.resolved_run import resolve
from core.planning.run_plan import preview
from core.tasks.own.saved import SavedTask, list_saved
from core.tasks.registry import RECIPES, compose
from core.units import gib, parameters
from webui import forms
from webui.components.budget_bar import budget_bar
from webui.components.copy_as import copy_as, field_errors
from webui.components.launch_panels import recipe_view
from webui.pages.frame import error_panel, or_else
from webui.present import capitalised
from webui.services import Services


def starting_values(
    values: Mapping[str, Any], earlier: Mapping[str, Any], tasks: Path
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the recipe starts with for this model and GPU, and the same with the reader's changes kept."""
    model, gpu, recipe = (str(values[name]).strip() for name in forms.IDENTITY)
    fresh = forms.shown(compose(recipe, model, gpu, {}, tasks))
    return fresh, {**fresh, **(forms.edits(values, earlier) if earlier else {})}


def config_of(values: Mapping[str, Any], tasks: Path) -> RunConfig:
    overrides = forms.parse(values)
    model, gpu, recipe = (overrides.pop(name) for name in forms.IDENTITY)
    return compose(recipe, model, gpu, overrides, tasks)


def _no_plan(error: Exception) -> list[Any]:
    unticked = gr.Checkbox(value=False, visible=False)
    return [error_panel(error, "No plan for these values"), unticked, field_errors([error]), gr.skip()]


@or_else(_no_plan)
def plan_view(services: Services, values: Mapping[str, Any]) -> list[Any]:
    """[plan, insist, errors, command]: the box for launching all the same is there when the plan does not fit."""
    config = config_of(values, services.settings.tasks)
    run = resolve(services.settings, config)
    planned = preview(services.settings, run)
    advice = () if planned.fits else remedies(run)
    sentences = [remedy.sentence for remedy in advice]
    doubt = calibration.doubt(services.settings, config)
    bars = budget_bar(planned, _device_name(services, config.gpu), sentences, doubt)
    insist = gr.Checkbox(visible=True) if not planned.fits else gr.Checkbox(value=False, visible=False)
    return [bars, gr.skip() if services.read_only else insist, field_errors(), copy_as(config, services.settings.tasks)]


def filled_in(services: Services, config: RunConfig) -> list[Any]:
    """Every output of the page for a config that is to stand in its form."""
    filled = forms.shown(config)
    fresh, _ = starting_values(filled, {}, services.settings.tasks)
    about = recipe_view(filled["recipe"], services.settings.tasks)
    return [fresh, about, *plan_view(services, filled), *filled.values()]


def refused(error: Exception, doing: str, fields: int) -> list[Any]:
    """The same outputs when a config cannot stand there: everything stays, and the reason is said."""
    problem = [gr.skip(), gr.skip(), error_panel(error, doing), gr.skip(), field_errors([error]), gr.skip()]
    return [*problem, *(gr.skip() for _ in range(fields))]


def task_choices(services: Services) -> list[tuple[str, str]]:
    """The recipes that ship, then the newest version of each task of one's own, then the older ones."""
    saved = list_saved(services.settings.tasks)
    newest = {task.short: task.name for task in reversed(saved)}
    own = [(_task_label(task, newest[task.short]), task.name) for task in saved]
    return [*((recipe.title, recipe.name) for recipe in RECIPES), *own]


def _task_label(task: SavedTask, newest: str) -> str:
    version = "" if task.name == newest else f" · {task.name.partition('@')[2]}"
    return f"{task.spec.title or task.short}{version}"


def model_choices(services: Services, gpu: str) -> list[tuple[str, str]]:
    """Every model of the catalogue with its size, its licence and whether this device can train it."""
    try:
        fits = fitting_models(services.catalogue, gpu)
    except InvalidInput:  # a device the catalogue does not know
        fits = {}
    return [(_model_label(model, fits.get(model.alias, "")), model.alias) for model in services.catalogue.models]


def _model_label(model: BaseModel, fits: str) -> str:
    facts = (model.name, parameters(model.parameters), model.licence, fits, "built in" if model.builtin else "")
    return " · ".join(fact for fact in facts if fact)


def gpu_choices(services: Services) -> list[tuple[str, str]]:
    """The device that is here comes first."""
    here = detected_gpu()
    label = f"{capitalised(here.name)} · {gib(here.memory_bytes)}{'' if here.kind == 'cpu' else ' · in this machine'}"
    rest = [gpu for gpu in services.catalogue.gpus if gpu.id != here.id]
    return [(label, here.id), *((f"{gpu.name} · {gib(gpu.memory_bytes)}", gpu.id) for gpu in rest)]


def _device_name(services: Services, gpu: str) -> str:
    names = {profile.id: capitalised(profile.name) for profile in (*services.catalogue.gpus, detected_gpu())}
    return names.get(gpu, gpu)
