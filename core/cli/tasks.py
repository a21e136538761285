"""Commands about tasks of one's own."""

import shutil
from pathlib import Path
from typing import Annotated, Any

import typer

from core.cli import render
from core.cli.options import Json, open_state
from core.cli.output import say, say_live, show_result
from core.config.run_config import parse_assignments
from core.errors import InvalidInput
from core.installation import detected_gpu
from core.jobs.benching import bench_task, earlier_completions
from core.jobs.trying import try_task
from core.records.trial import Trial, trial_json
from core.settings import load_settings
from core.tasks.bench import as_lines
from core.tasks.data import DataSource
from core.tasks.gym import PREFIX as GYM
from core.tasks.gym import distinct_prompts
from core.tasks.own.approvals import approvals, approve, own_codes
from core.tasks.own.archive import export_task
from core.tasks.own.drafting import OWN_FILE, draft_gym, draft_task, name_of
from core.tasks.own.examination import examine, report_lines
from core.tasks.own.saved import SavedTask, list_saved
from core.tasks.own.spec import FILE, make_spec, plain, write_spec
from core.tasks.registry import INDEXES, RECIPES, compose, get_recipe, own_task, save, trainable
from core.tasks.sandbox.probe import probe

task = typer.Typer(help="Tasks of your own: your data, your prompt, your rewards.", rich_markup_mode=None)
TaskName = Annotated[str, typer.Argument(metavar="TASK", help="A folder with task.toml, or the name of a saved task.")]


@task.command("new")
def new(
    data: Annotated[
        str,
        typer.Argument(
            help="A .jsonl, .csv or .parquet file, a folder of them, hub:owner/name, or reasoning-gym:FAMILY."
        ),
    ],
    folder: Annotated[Path | None, typer.Option(help="Folder to make; empty: named after the data.")] = None,
    config: Annotated[str, typer.Option(help="Config of a Hub data set.")] = "",
    split: Annotated[str, typer.Option(help="Split of a Hub data set.")] = "",
    revision: Annotated[str, typer.Option(help="Revision of a Hub data set.")] = "",
) -> None:
    """Make a folder with a task file for this data; what each column is for is guessed and said."""
    tasks = load_settings().tasks
    target = folder or Path(name_of(data))
    if target.exists():
        raise InvalidInput("--folder", str(target), "which exists", "name a folder that is still to be made")
    if data.startswith(GYM):
        spec = draft_gym(data, name_of(target.name))
        target.mkdir(parents=True)
        (target / FILE).write_text(write_spec(spec), encoding="utf-8")
        say(f"Made {target / FILE}. Next: grouper task check {target}")
        return
    draft = draft_task(
        DataSource(data, config, split, revision), name_of(target.name), base=Path(), cache=tasks / INDEXES
    )
    spec = draft.spec
    target.mkdir(parents=True)
    if not data.startswith("hub:"):
        spec = make_spec({**plain(spec), "data": {"source": str(_beside(Path(data).expanduser(), target))}})
    (target / FILE).write_text(write_spec(spec), encoding="utf-8")
    if draft.code:
        (target / OWN_FILE).write_text(draft.code, encoding="utf-8")
    for guess in draft.guesses:
        say(f"  {guess.column}: {guess.role}, {guess.reason}")
    say(f"Made {target / FILE}. Next: grouper task check {target}")


@task.command("check")
def check(
    name: TaskName,
    rows: Annotated[int | None, typer.Option(help="Look at this many rows only.", min=1)] = None,
    runs: Annotated[list[str], typer.Option(metavar="ID", help="Score completions of this earlier run, too.")] = [],  # noqa: B006
    as_json: Json = False,
) -> None:
    """Whether the rows can be used and the rewards be trusted, before anything is trained."""
    settings, database = open_state()
    checked, made = None, next((each for each in RECIPES if each.name == name), None)
    if made is None:
        own = own_task(name, settings.tasks)
        made = own.task() if own.spec.data.source else get_recipe(save(name, settings.tasks).name, settings.tasks)
        if own.spec.data.source:
            *_, checked = examine(own, limit=rows, progress=_counted)
    lines = report_lines(checked) if checked else []
    if checked is None and not made.needs_dataset:
        lines.append("{:,} distinct prompts among the first {:,}.".format(*distinct_prompts(made.generate("", 0))))
    try:
        earlier = tuple(each for run in runs for each in earlier_completions(database, run))
        report = bench_task(settings, made, earlier)
    except InvalidInput as error:
        show_result(as_json, {"rows": checked, "rewards": None}, "\n".join(lines))
        say(f"The rewards were not tried: {error}")
        return
    document = {"rows": checked, "rewards": report, "verdict": report.verdict}
    show_result(as_json, document, "\n".join([*lines, "", *as_lines(report)]))


@task.command("try")
def try_(
    name: TaskName,
    model: Annotated[str, typer.Option(help="Catalogue alias, Hub id or local folder; empty: smollm2-135m.")] = "",
    gpu: Annotated[str, typer.Option(help="GPU profile; empty: this machine's.")] = "",
    rows: Annotated[int, typer.Option(help="Prompts to sample for.", min=1, max=64)] = 4,
    assignments: Annotated[list[str], typer.Option("--set", metavar="KEY=VALUE", help="Any config field.")] = [],  # noqa: B006
    price: Annotated[float, typer.Option(help="What an hour of this machine costs; for the cost of the run.")] = 0.0,
    as_json: Json = False,
) -> None:
    """Sample a few rows with the base model: scores, advantages, seconds and what the run would take."""
    settings, database = open_state()
    recipe = trainable(name, settings.tasks)
    overrides = {"prompts_per_step": rows, **parse_assignments(assignments)}
    config = compose(recipe, model or "smollm2-135m", gpu or detected_gpu().id, overrides, settings.tasks)
    for said in try_task(database, settings, config):
        if isinstance(said, Trial):
            show_result(as_json, trial_json(said), render.trial_text(said, price))
        else:
            say_live(said)


@task.command("list")
def listed(as_json: Json = False) -> None:
    """The saved tasks, the newest version first."""
    settings = load_settings()
    saved = list_saved(settings.tasks)
    given = approvals(settings.tasks)
    document = [_document(each) for each in saved]
    lines = []
    for each in saved:
        codes = own_codes(get_recipe(each.name, settings.tasks).rewards) if each.spec.file else ()
        waits = any(code.sha256 not in given for code in codes)
        lines.append(f"{each.name}  {each.spec.title or each.short}{'  (its file is not agreed to)' * waits}")
    show_result(as_json, document, "\n".join(lines) or "No task is saved here. Make one with `grouper task new DATA`.")


@task.command("import")
def import_(
    path: Annotated[Path, typer.Argument(help="A folder with task.toml, or an archive that was exported.")],
    as_json: Json = False,
) -> None:
    """Save a task; nothing of it is run."""
    if not path.exists():
        raise InvalidInput("path", str(path), "which does not exist", "check the path")
    saved = save(str(path), load_settings().tasks)
    show_result(as_json, _document(saved), saved.name)
    if saved.spec.file:
        say(f"Before it can score, read {saved.folder / saved.spec.file} and run: grouper task approve {saved.name}")


@task.command("export")
def export(
    name: TaskName, file: Annotated[Path, typer.Argument(help="The archive to write, such as task.zip.")]
) -> None:
    """Write a saved task into one file that others can import."""
    settings = load_settings()
    say(f"Wrote {export_task(save(name, settings.tasks), file)}.")


@task.command("approve")
def approve_(
    name: TaskName,
    unprotected: Annotated[
        bool, typer.Option("--unprotected", help="Also where this machine cannot keep it in a sandbox.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="The file has been read.")] = False,
) -> None:
    """Agree to run the Python file of a task, as it is now."""
    tasks = load_settings().tasks
    own = own_task(name, tasks)
    if not own.spec.file:
        raise InvalidInput("task", name, "which has no Python file", "nothing needs to be agreed to")
    codes = {code.sha256: code for code in own_codes(own.rewards())}
    (sha256, code), *_ = codes.items()
    level = probe()
    if not yes:
        say(code.path.read_text(encoding="utf-8", errors="replace"))
        say(f"sha256 {sha256}. It would run under: {level.name}. {' '.join(level.protects)}")
        say(f"Not protected: {' '.join(level.exposes)}")
        typer.confirm("Let it score?", abort=True, err=True)
    approve(tasks, sha256, unprotected)
    say(f"{code.path.name} may score, as long as its sha256 is {sha256[:12]}….")


def _beside(data: Path, folder: Path) -> Path:
    """Where a task file in `folder` finds the data: a copy beside it, or a large file where it lies."""
    if data.is_file() and data.stat().st_size <= 32 << 20:
        shutil.copyfile(data, folder / data.name)
        return Path(data.name)
    return data.resolve()


def _document(saved: SavedTask) -> dict[str, Any]:
    return {"name": saved.name, "title": saved.spec.title, "folder": str(saved.folder), "saved_at": saved.saved_at}


def _counted(done: int, of: int) -> None:
    say_live(f"{done:,} rows looked at")
