"""The `grouper` command: a thin door to the same functions as the pages.

Exit codes: 0 done, 1 the run failed, 2 bad arguments (one line on stderr). With --json one JSON document goes to
stdout and nothing else; everything else goes to stderr.
"""

import os
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from typer._click.exceptions import ClickException  # typer carries its own click; the pin keeps this true

from core import jobs, reports
from core.bench.commands import bench
from core.catalogue import load_catalogue
from core.config import parse_assignments
from core.errors import GrouperError, InvalidInput
from core.recipes import compose
from core.runs import Run, RunStatus
from core.settings import PROJECT, Settings, load_settings, page_environment
from core.store import Database, browsing, finding, open_database, reviewing
from core.store.wanted import ORDERS, CompletionFilter
from core.units import duration, plural

app = typer.Typer(
    add_completion=False, no_args_is_help=False, rich_markup_mode=None, pretty_exceptions_enable=False, help=__doc__
)
app.add_typer(bench, name="bench")
WAIT_S = 0.5
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
RunId = Annotated[str, typer.Argument(metavar="ID", help="A run's id, as `grouper runs` lists it.")]


def main() -> None:
    """Entry point: turns every mistake into one line and the right exit code."""
    try:
        code = app(standalone_mode=False)
    except ClickException as error:
        sys.exit(_complain(f"{error.format_message()} See `grouper --help`."))
    except InvalidInput as error:
        sys.exit(_complain(str(error)))
    except GrouperError as error:
        _complain(str(error))
        sys.exit(1)
    except typer.Abort:
        sys.exit(130)
    sys.exit(code if isinstance(code, int) else 0)


@app.command()
def ui(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "",
    port: Annotated[int, typer.Option(help="Port to listen on; 0: the default.", min=0, max=65535)] = 0,
    read_only: Annotated[bool, typer.Option("--read-only", help="Show runs, change nothing.")] = False,
) -> None:
    """Serve the dashboard."""
    os.chdir(PROJECT)
    os.execve(sys.executable, [sys.executable, "app.py"], page_environment(host, port, read_only))


@app.command()
def launch(
    recipe: Annotated[str, typer.Option(help="What to train on.")] = "",
    model: Annotated[str, typer.Option(help="Catalogue alias, Hub id or local folder.")] = "",
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
    overrides = {**parse_assignments(assignments), **_set(given)}
    settings, database = _open()
    if like:
        changes = {**_set({"recipe": recipe or None, "model": model or None, "gpu": gpu or None}), **overrides}
        config = jobs.config_like(database, like, changes)
    elif recipe:
        config = compose(recipe, model or "smollm2-135m", gpu or jobs.detected_gpu().id, overrides)
    else:
        raise InvalidInput("--recipe", recipe, "which is missing", "name a recipe, such as --recipe addition")
    run = jobs.submit(database, settings, config, name=name, who="command line", insist=insist)
    _note(f"Run {run.id} ({run.name}) is {run.status}.")
    return _finish(database, settings, run, wait, as_json)


@app.command()
def plan(
    model: Annotated[str, typer.Option(help="Catalogue alias, Hub id or local folder.")] = "",
    gpu: Annotated[str, typer.Option(help="GPU profile; empty: this machine's.")] = "",
    rank: Annotated[int | None, typer.Option(help="LoRA rank.")] = None,
    quantization: Annotated[str | None, typer.Option(help="Base weights in the trainer: none or nf4.")] = None,
    gpu_memory_utilization: Annotated[float | None, typer.Option(help="Share of the GPU the engine may take.")] = None,
    group_size: Annotated[int | None, typer.Option(help="Completions of one prompt.")] = None,
    prompts_per_step: Annotated[int | None, typer.Option(help="Prompts in a step.")] = None,
    prompt_tokens: Annotated[int | None, typer.Option(help="Longest prompt.")] = None,
    completion_tokens: Annotated[int | None, typer.Option(help="Longest completion.")] = None,
    assignments: Annotated[list[str], typer.Option("--set", metavar="KEY=VALUE", help="Any planner setting.")] = [],  # noqa: B006
    check: Annotated[Path | None, typer.Option(help="Compare with the measurements in this file instead.")] = None,
    as_json: Json = False,
) -> None:
    """Where the memory of a run goes, before anything is loaded."""
    if check is not None:
        found = jobs.check_measurements(check)
        _show(as_json, found, reports.check_text(found))
        return
    if not model:
        raise InvalidInput("--model", model, "which is empty", "name a model, such as --model smollm2-135m")
    given = {
        "rank": rank,
        "quantization": quantization,
        "gpu_memory_utilization": gpu_memory_utilization,
        "group_size": group_size,
        "prompts_per_step": prompts_per_step,
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
    }
    gpu = gpu or jobs.detected_gpu().id
    setting = jobs.make_setting({**jobs.workers_way(gpu), **parse_assignments(assignments), **_set(given)})
    planned = jobs.plan_setting(load_settings(), model, gpu, setting)
    _show(as_json, planned.to_json(), reports.plan_text(planned))


@app.command("runs")
def list_runs(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Newest runs to list.")] = 50, as_json: Json = False
) -> None:
    """List runs, newest first."""
    _settings, database = _open()
    with database.reading() as connection:
        found = browsing.list_runs(connection, limit)
    briefs = [reports.brief(run) for run in found]
    _show(as_json, [asdict(brief) for brief in briefs], "\n".join(map(reports.brief_text, briefs)) or "No runs yet.")


@app.command()
def show(run_id: RunId, as_json: Json = False) -> None:
    """One run: state, progress, figures, events, and why it ended."""
    settings, database = _open()
    with database.reading() as connection:
        summary = browsing.summarise(connection, run_id)
        events = browsing.list_events(connection, run_id)
        steps = browsing.list_steps(connection, run_id)
    found = [asdict(advisory) for advisory in jobs.advisories(settings, summary.run, steps)]
    document = {**reports.detail_json(summary, events), "advisories": found}
    _show(as_json, document, reports.detail_text(summary, events, found))


@app.command()
def metrics(run_id: RunId, as_json: Json = False) -> None:
    """Every step's metrics, seconds and memory."""
    _settings, database = _open()
    with database.reading() as connection:
        browsing.get_run(connection, run_id)
        steps = browsing.list_steps(connection, run_id)
    _show(as_json, reports.steps_json(steps), "\n".join(map(reports.step_text, steps)) or "No steps yet.")


@app.command()
def completions(
    run_id: RunId,
    step: Annotated[int | None, typer.Option(min=1, help="Only this step.")] = None,
    min_reward: Annotated[float | None, typer.Option(help="Only rewards from here.")] = None,
    max_reward: Annotated[float | None, typer.Option(help="Only rewards up to here.")] = None,
    search: Annotated[str, typer.Option(help='Only completions with these words, "phrases" or beginnings*.')] = "",
    sort: Annotated[str, typer.Option(help=f"One of {', '.join(ORDERS)}, score:NAME.")] = "newest",
    limit: Annotated[int, typer.Option(help="Completions on a page.")] = 20,
    after: Annotated[str, typer.Option(help="The `next` of the page before.")] = "",
    as_json: Json = False,
) -> None:
    """A run's sampled completions."""
    _settings, database = _open()
    wanted = CompletionFilter(step, min_reward, max_reward, search, sort, limit, after)
    with database.reading() as connection:
        page, cursor = finding.list_completions(connection, run_id, wanted, with_tokens=as_json)
    document = {"completions": [asdict(completion) for completion in page], "next": cursor}
    _show(as_json, document, "\n\n".join(map(reports.completion_text, page)) or "No completions match.")


@app.command()
def review(run_id: RunId, as_json: Json = False) -> None:
    """Look through a run's stored completions again for signs of gamed rewards and wrong checks."""
    _settings, database = _open()
    found = reviewing.review(database, run_id)
    said = f"{plural(found, 'finding')} in run {run_id}; they are filters of its completions."
    _show(as_json, {"run": run_id, "findings": found}, said)


@app.command()
def export(
    run_id: RunId,
    to: Annotated[Path, typer.Option(help="A folder that is not there yet, or empty.")],
    as_json: Json = False,
) -> None:
    """Write a run as a folder that others can open: its settings, metrics, completions and adapter."""
    settings, database = _open()
    written = jobs.export_run(database, settings, run_id, to)
    _show(as_json, {"run": run_id, "path": str(to), "files": written}, f"Run {run_id} is in {to}: {', '.join(written)}")


@app.command()
def stop(
    run_id: RunId,
    now: Annotated[bool, typer.Option("--now", help="Do not wait for the step in hand.")] = False,
    as_json: Json = False,
) -> None:
    """End a run after its current step; a queued run is cancelled."""
    _settings, database = _open()
    status = jobs.stop(database, run_id, "command line", now)
    _show(as_json, {"run": run_id, "state": status.value}, f"Run {run_id} is {status}.")


@app.command("next")
def run_next(run_id: RunId, as_json: Json = False) -> None:
    """Put a waiting run at the front of the queue."""
    _settings, database = _open()
    jobs.run_next(database, run_id)
    _show(as_json, {"run": run_id, "next": True}, f"Run {run_id} is next.")


@app.command()
def resume(
    run_id: RunId,
    steps: Annotated[int | None, typer.Option(min=1, help="Steps in all; more than the run had extend it.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Follow the run to its end.")] = False,
    as_json: Json = False,
) -> int:
    """Go on with a run that has ended, from its newest whole checkpoint."""
    settings, database = _open()
    with database.reading() as connection:
        changed = jobs.differences(settings, browsing.get_run(connection, run_id))
    if changed:
        _note(f"Not as it was at the checkpoint: {', '.join(changed)}.")
    run = jobs.resume(database, settings, run_id, "command line", steps)
    _note(f"Run {run.id} ({run.name}) is {run.status}, attempt {run.attempt}.")
    return _finish(database, settings, run, wait, as_json)


@app.command()
def delete(run_id: RunId, as_json: Json = False) -> None:
    """Remove a run that has ended, with its completions, adapter and log."""
    settings, database = _open()
    jobs.delete(database, settings, run_id)
    _show(as_json, {"run": run_id, "deleted": True}, f"Run {run_id} is deleted.")


@app.command()
def backup(path: Annotated[Path, typer.Argument(help="Where the copy goes.")], as_json: Json = False) -> None:
    """Copy the database while everything goes on."""
    _settings, database = _open()
    database.back_up(path)
    _show(as_json, {"path": str(path), "bytes": path.stat().st_size}, f"The database is copied to {path}.")


@app.command()
def doctor(
    quick: Annotated[bool, typer.Option("--quick", help="Only look; start no engine.")] = False, as_json: Json = False
) -> int:
    """Check this installation: what is installed, what works, how fast, and what to do about the rest."""
    settings = load_settings()
    checks: list[jobs.Check] = []
    for check in jobs.examine(settings, quick):
        _live(reports.check_line(check))
        if check.state != "running":
            checks.append(check)
            if sys.stderr.isatty():
                _note("")
    document = jobs.report(settings, checks)
    _show(as_json, document, str(document["sentence"]))
    return 0 if document["healthy"] else 1


@app.command()
def prepare() -> None:
    """Make the built-in model ready now instead of at the first launch."""
    settings = load_settings()
    jobs.prepare_builtin(settings, load_catalogue())


def _finish(database: Database, settings: Settings, run: Run, wait: bool, as_json: bool) -> int:
    """What is said of a run that was just queued: that it is, or after waiting how it ended."""
    if not wait:
        _show(as_json, asdict(reports.brief(run)), f"Follow it with `grouper show {run.id}` or in the dashboard.")
        return 0
    run = _follow(database, settings, run)
    with database.reading() as connection:
        summary = browsing.summarise(connection, run.id)
    _show(as_json, reports.summary_json(summary), reports.summary_text(summary))
    return 0 if run.status in (RunStatus.COMPLETED, RunStatus.STOPPED) else 1


def _follow(database: Database, settings: Settings, run: Run) -> Run:
    """Waits for the run's end with a live line on stderr; the run goes on if this is interrupted."""
    began = time.monotonic()
    first: tuple[int, float] | None = None  # the first step seen and when: loading says nothing about the pace
    seen, pace = 0, None
    try:
        while not run.status.is_final:
            time.sleep(WAIT_S)
            jobs.tick(database, settings)
            with database.reading() as connection:
                run = browsing.get_run(connection, run.id)
            now = time.monotonic()
            if run.step != seen:  # only a new step is news about the pace; else the estimate would creep
                seen, first = run.step, first or (run.step, now)
                pace = (now - first[1]) / (run.step - first[0]) if run.step > first[0] else None
            _live(reports.progress_line(run, pace))
    except KeyboardInterrupt:
        _note(f"\nRun {run.id} goes on without you. Stop it with `grouper stop {run.id}`.")
        raise typer.Abort() from None
    jobs.learn(database, settings)
    _note(f"\nRun {run.id} {run.status} after {duration(time.monotonic() - began)}.")
    if run.failure is not None:
        _note(f"{run.failure.message} {run.failure.remedy}\nLog: {settings.run_folder(run.id) / 'worker.log'}")
    return run


def _set(options: dict[str, Any]) -> dict[str, Any]:
    """The options somebody gave."""
    return {name: value for name, value in options.items() if value is not None}


def _open() -> tuple[Settings, Database]:
    settings = load_settings()
    return settings, open_database(settings.database_url)


def _show(as_json: bool, document: Any, text: str) -> None:
    sys.stdout.write((reports.to_json(document) if as_json else text) + "\n")


def _note(text: str) -> None:
    sys.stderr.write(text + "\n")


def _live(text: str) -> None:
    """One line that rewrites itself on a terminal, and a new line at most for each change elsewhere."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[2K{text}")
    elif text != getattr(_live, "last", ""):
        sys.stderr.write(text + "\n")
    _live.last = text  # type: ignore[attr-defined]


def _complain(text: str) -> int:
    _note(" ".join(text.split()))
    return 2
