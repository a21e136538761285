"""Commands that put a run into the queue."""

from typing import Annotated

import typer

from core.cli.follow import finish
from core.cli.options import Json, RunId, chosen, open_state
from core.cli.output import say
from core.config.run_config import parse_assignments
from core.errors import InvalidInput
from core.installation import detected_gpu
from core.jobs import submission
from core.jobs.resume import differences, resume_run
from core.store.runs import queries
from core.tasks.registry import compose, save


def launch(
    recipe: Annotated[str, typer.Option(help="What to train on; needed unless --like is given.")] = "",
    task: Annotated[str, typer.Option(help="A task of your own: a folder, or the name of a saved one.")] = "",
    model: Annotated[str, typer.Option(help="Catalogue alias, Hub id or local folder; empty: smollm2-135m.")] = "",
    gpu: Annotated[str, typer.Option(help="GPU profile; empty: this machine's.")] = "",
    like: Annotated[str, typer.Option(metavar="ID", help="Begin with the settings of this run.")] = "",
    rank: Annotated[int | None, typer.Option(help="LoRA rank; empty: the recipe's.")] = None,
    steps: Annotated[int | None, typer.Option(help="Optimizer steps; empty: the recipe's.")] = None,
    fast_inference: Annotated[str | None, typer.Option(help="auto, on or off.")] = None,
    seed: Annotated[int | None, typer.Option(help="Decides data, adapter start and sampling.")] = None,
    device: Annotated[
        str | None, typer.Option(help="cpu, or a GPU by its number as cuda:1; empty: a free one.")
    ] = None,
    assignments: Annotated[list[str], typer.Option("--set", metavar="KEY=VALUE", help="Any config field.")] = [],  # noqa: B006
    name: Annotated[str, typer.Option(help="A name for the run.")] = "",
    insist: Annotated[bool, typer.Option("--insist", help="Launch although the memory plan does not fit.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Follow the run to its end.")] = False,
    as_json: Json = False,
) -> int:
    """Queue a run; its worker starts when the device is free."""
    given = {"rank": rank, "steps": steps, "fast_inference": fast_inference, "seed": seed, "device": device}
    overrides = {**parse_assignments(assignments), **chosen(given)}
    settings, database = open_state()
    if task:
        if recipe:
            raise InvalidInput("--task", task, f"beside --recipe {recipe}", "give one of the two")
        recipe = save(task, settings.tasks).name
    if like:
        changes = {**chosen({"recipe": recipe or None, "model": model or None, "gpu": gpu or None}), **overrides}
        config = submission.config_like(database, like, changes)
    elif recipe:
        config = compose(recipe, model or "smollm2-135m", gpu or detected_gpu().id, overrides, settings.tasks)
    else:
        raise InvalidInput(
            "--recipe", recipe, "which is missing", "name a recipe, such as --recipe addition, or a --task"
        )
    run = submission.submit(database, settings, config, name=name, who="command line", insist=insist)
    say(f"Run {run.id} ({run.name}) is {run.status}.")
    return finish(database, settings, run, wait, as_json)


def resume(
    run_id: RunId,
    steps: Annotated[int | None, typer.Option(min=1, help="Steps in all; more than the run had extend it.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Follow the run to its end.")] = False,
    as_json: Json = False,
) -> int:
    """Go on with a run that has ended, from its newest whole checkpoint."""
    settings, database = open_state()
    with database.reading() as connection:
        changed = differences(settings, queries.get_run(connection, run_id))
    if changed:
        say(f"Not as it was at the checkpoint: {', '.join(changed)}.")
    run = resume_run(database, settings, run_id, "command line", steps)
    say(f"Run {run.id} ({run.name}) is {run.status}, attempt {run.attempt}.")
    return finish(database, settings, run, wait, as_json)
