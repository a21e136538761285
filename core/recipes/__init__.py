"""What can be trained on. One recipe per file; `RECIPES` lists them and `compose` makes a run's config from one."""

from collections.abc import Mapping
from typing import Any

from core.catalogue import load_catalogue
from core.config import ALIASES, RunConfig, make_config
from core.errors import NotFound
from core.recipes.addition import ADDITION
from core.recipes.countdown import COUNTDOWN
from core.recipes.gsm8k import GSM8K
from core.recipes.json_extraction import JSON_EXTRACTION
from core.recipes.recipe import Example, Message, Recipe, Reward

RECIPES: tuple[Recipe, ...] = (ADDITION, COUNTDOWN, JSON_EXTRACTION, GSM8K)

__all__ = ["RECIPES", "Example", "Message", "Recipe", "Reward", "compose", "get_recipe"]


def get_recipe(name: str) -> Recipe:
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
