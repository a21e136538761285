"""What can be trained on: the recipes that ship, tasks saved in the state folder, and a run's config made of either."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.catalogue import load_catalogue
from core.config import RunConfig, make_config
from core.config.run_config import ALIASES
from core.errors import NotFound
from core.tasks.builtin.generators import GENERATORS
from core.tasks.own.archive import import_task
from core.tasks.own.build import OwnTask, generated_task
from core.tasks.own.saved import SavedTask, check_data, find_saved, load_saved
from core.tasks.own.spec import FILE, read_spec
from core.tasks.task import Task

BUILTIN = Path(__file__).parent / "builtin"
INDEXES = ".indexes"  # below the folder of saved tasks: what was learned of their data's files

RECIPES: tuple[Task, ...] = tuple(
    generated_task(read_spec(BUILTIN / f"{name}.toml"), BUILTIN, GENERATORS)
    for name in ("addition", "countdown", "json-extraction", "gsm8k")
)


def get_recipe(name: str, tasks: Path | None = None) -> Task:
    """The recipe or saved task of this name; of a task's versions NAME@HASH is that one, NAME the newest.

    tasks  the folder of saved tasks; None: recipes alone
    Raises NotFound with the names there are, InvalidInput for a task whose data has gone.
    """
    for recipe in RECIPES:
        if recipe.name == name:
            return recipe
    if tasks is not None and (tasks.is_dir() or "@" in name):
        try:
            return load_saved(find_saved(name, tasks), tasks / INDEXES, GENERATORS)
        except NotFound:
            if "@" in name:
                raise
    names = ", ".join(recipe.name for recipe in RECIPES)
    raise NotFound("recipe", name, "which does not exist", f"choose one of {names}")


def own_task(task: str, tasks: Path) -> OwnTask:
    """A folder or task file of one's own, or the name of a saved version, as it says how rows become prompts.

    Raises NotFound, and InvalidInput for a task whose examples a function makes.
    """
    path = Path(task).expanduser()
    if path.exists():
        return OwnTask(read_spec(path), path if path.is_dir() else path.parent, tasks / INDEXES)
    saved = find_saved(task, tasks)
    return OwnTask(saved.spec, saved.folder, tasks / INDEXES)


def save(task: str, tasks: Path) -> SavedTask:
    """The saved version of a folder, task file or archive, or of this name. Raises NotFound and InvalidInput."""
    path = Path(task).expanduser()
    if path.exists():
        return import_task(path, tasks, tasks / INDEXES, GENERATORS)
    return find_saved(task, tasks)


def trainable(task: str, tasks: Path) -> str:
    """What to name as a run's recipe for a name, which it is already, or for a folder or archive, which is saved."""
    named = any(recipe.name == task for recipe in RECIPES)
    return task if named or not Path(task).expanduser().exists() else save(task, tasks).name


def check_task_data(name: str, tasks: Path) -> None:
    """Raises InvalidInput where the rows of a saved version have changed."""
    if "@" in name:
        check_data(find_saved(name, tasks), tasks / INDEXES)


def task_files(name: str, tasks: Path) -> tuple[Path, ...]:
    """The task file of a recipe or saved version, and the Python file beside it. Raises NotFound."""
    if any(recipe.name == name for recipe in RECIPES):
        return (BUILTIN / f"{name}.toml",)
    saved = find_saved(name, tasks)
    code = saved.spec.file
    return (saved.folder / FILE, *([saved.folder / code] if code else []))


def compose(recipe: str, model: str, gpu: str, overrides: Mapping[str, Any], tasks: Path | None = None) -> RunConfig:
    """A run's config: the recipe's starting values for this size of model and this GPU, then `overrides`.

    Raises InvalidInput for an unknown recipe or GPU and for a value that cannot work.
    """
    chosen = get_recipe(recipe, tasks)
    catalogue = load_catalogue()
    profile = catalogue.gpu(gpu)
    known = catalogue.model(model)
    start = chosen.starting_values(known, on_cpu=profile.kind == "cpu")
    own_names = {ALIASES.get(key, key): value for key, value in overrides.items()}
    return make_config({**start, **own_names, "recipe": chosen.name, "model": model, "gpu": profile.id})
