"""What can be trained on. One recipe per file; `RECIPES` lists them and `compose` makes a run's config from one."""

from collections.abc import Mapping
from typing import Any

from core.catalogue import load_catalogue
from core.config import RunConfig, make_config
from core.config.run_config import ALIASES
from core.errors import NotFound
from core.tasks.builtin.addition import ADDITION
from core.tasks.builtin.countdown import COUNTDOWN
from core.tasks.builtin.gsm8k import GSM8K
from core.tasks.builtin.json_extraction import JSON_EXTRACTION
from core.tasks.task import Task

RECIPES: tuple[Task, ...] = (ADDITION, COUNTDOWN, JSON_EXTRACTION, GSM8K)


def get_recipe(name: str) -> Task:
    """The recipe of this name, or NotFound with the names there are."""
    for recipe in RECIPES:
        if recipe.name == name:
            return recipe
    names = ", ".join(recipe.name for recipe in RECIPES)
    raise NotFound("recipe", name, "which does not exist", f"choose one of {names}")


def compose(recipe: str, model: str, gpu: str, overrides: Mapping[str, Any]) -> RunConfig:
    """A run's config: the recipe's starting values for this size of model and this GPU, then `overrides`.

    Raises InvalidInput for an unknown recipe or GPU and for a value that cannot work.
    """
    chosen = get_recipe(recipe)
    catalogue = load_catalogue()
    profile = catalogue.gpu(gpu)
    known = catalogue.model(model)
    start = chosen.starting_values(known, on_cpu=profile.kind == "cpu")
    own_names = {ALIASES.get(key, key): value for key, value in overrides.items()}
    return make_config({**start, **own_names, "recipe": recipe, "model": model, "gpu": profile.id})
