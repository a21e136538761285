"""Commands about runs that are there: to read them, to end them, to take them along."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from core import documents
from core.cli import render
from core.cli.options import Json, RunId, open_state
from core.cli.output import show_result
from core.jobs import submission
from core.jobs.export_run import export_run
from core.jobs.health import advisories
from core.store.rollouts import rescan
from core.store.runs import queries
from core.store.search.filter import ORDERS, CompletionFilter
from core.store.search.query import list_completions
from core.units import plural


def list_runs(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Newest runs to list.")] = 50, as_json: Json = False
) -> None:
    """List runs, newest first."""
    _settings, database = open_state()
    with database.reading() as connection:
        found = queries.list_runs(connection, limit)
    briefs = [documents.brief(run) for run in found]
    show_result(
        as_json, [asdict(brief) for brief in briefs], "\n".join(map(render.brief_text, briefs)) or "No runs yet."
    )


def show(run_id: RunId, as_json: Json = False) -> None:
    """One run: state, progress, figures, events, and why it ended."""
    settings, database = open_state()
    with database.reading() as connection:
        summary = queries.summarise(connection, run_id)
        events = queries.list_events(connection, run_id)
        steps = queries.list_steps(connection, run_id)
    found = [asdict(advisory) for advisory in advisories(settings, summary.run, steps)]
    document = {**documents.detail_json(summary, events), "advisories": found}
    show_result(as_json, document, render.detail_text(summary, events, found))


def metrics(run_id: RunId, as_json: Json = False) -> None:
    """Every step's metrics, seconds and memory."""
    _settings, database = open_state()
    with database.reading() as connection:
        queries.get_run(connection, run_id)
        steps = queries.list_steps(connection, run_id)
    show_result(as_json, documents.steps_json(steps), "\n".join(map(render.step_text, steps)) or "No steps yet.")


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
    _settings, database = open_state()
    wanted = CompletionFilter(step, min_reward, max_reward, search, sort, limit, after)
    with database.reading() as connection:
        page, cursor = list_completions(connection, run_id, wanted, with_tokens=as_json)
    document = {"completions": [asdict(completion) for completion in page], "next": cursor}
    show_result(as_json, document, "\n\n".join(map(render.completion_text, page)) or "No completions match.")


def review(run_id: RunId, as_json: Json = False) -> None:
    """Look through a run's stored completions again for signs of gamed rewards and wrong checks."""
    _settings, database = open_state()
    found = rescan.review(database, run_id)
    said = f"{plural(found, 'finding')} in run {run_id}; they are filters of its completions."
    show_result(as_json, {"run": run_id, "findings": found}, said)


def export(
    run_id: RunId,
    to: Annotated[Path, typer.Option(help="A folder that is not there yet, or empty.")],
    as_json: Json = False,
) -> None:
    """Write a run as a folder that others can open: its settings, metrics, completions and adapter."""
    settings, database = open_state()
    written = export_run(database, settings, run_id, to)
    show_result(
        as_json, {"run": run_id, "path": str(to), "files": written}, f"Run {run_id} is in {to}: {', '.join(written)}"
    )


def stop(
    run_id: RunId,
    now: Annotated[bool, typer.Option("--now", help="Do not wait for the step in hand.")] = False,
    as_json: Json = False,
) -> None:
    """End a run after its current step; a queued run is cancelled."""
    _settings, database = open_state()
    status = submission.stop(database, run_id, "command line", now)
    show_result(as_json, {"run": run_id, "state": status.value}, f"Run {run_id} is {status}.")


def run_next(run_id: RunId, as_json: Json = False) -> None:
    """Put a waiting run at the front of the queue."""
    _settings, database = open_state()
    submission.run_next(database, run_id)
    show_result(as_json, {"run": run_id, "next": True}, f"Run {run_id} is next.")


def delete(run_id: RunId, as_json: Json = False) -> None:
    """Remove a run that has ended, with its completions, adapter and log."""
    settings, database = open_state()
    submission.delete(database, settings, run_id)
    show_result(as_json, {"run": run_id, "deleted": True}, f"Run {run_id} is deleted.")
