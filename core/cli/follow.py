"""Waiting for a run that was just queued, with a live line on stderr."""

import time
from dataclasses import asdict

import typer

from core import documents
from core.cli import render
from core.cli.output import say, say_live, show_result
from core.jobs import supervisor
from core.planning import calibration
from core.records.run import Run
from core.records.status import RunStatus
from core.settings import Settings
from core.store import Database
from core.store.runs import queries
from core.units import duration

WAIT_S = 0.5


def finish(database: Database, settings: Settings, run: Run, wait: bool, as_json: bool) -> int:
    """What is said of a run that was just queued: that it is, or after waiting how it ended."""
    if not wait:
        show_result(
            as_json, asdict(documents.brief(run)), f"Follow it with `grouper show {run.id}` or in the dashboard."
        )
        return 0
    run = follow(database, settings, run)
    with database.reading() as connection:
        summary = queries.summarise(connection, run.id)
    show_result(as_json, documents.summary_json(summary), render.summary_text(summary))
    return 0 if run.status in (RunStatus.COMPLETED, RunStatus.STOPPED) else 1


def follow(database: Database, settings: Settings, run: Run) -> Run:
    """Waits for the run's end with a live line on stderr; the run goes on if this is interrupted."""
    began = time.monotonic()
    first: tuple[int, float] | None = None  # the first step seen and when: loading says nothing about the pace
    seen, pace = 0, None
    try:
        while not run.status.is_final:
            time.sleep(WAIT_S)
            supervisor.tick(database, settings)
            with database.reading() as connection:
                run = queries.get_run(connection, run.id)
            now = time.monotonic()
            if run.step != seen:  # only a new step is news about the pace; else the estimate would creep
                seen, first = run.step, first or (run.step, now)
                pace = (now - first[1]) / (run.step - first[0]) if run.step > first[0] else None
            say_live(render.progress_line(run, pace))
    except KeyboardInterrupt:
        say(f"\nRun {run.id} goes on without you. Stop it with `grouper stop {run.id}`.")
        raise typer.Abort() from None
    calibration.learn(database, settings)
    say(f"\nRun {run.id} {run.status} after {duration(time.monotonic() - began)}.")
    if run.failure is not None:
        say(f"{run.failure.message} {run.failure.remedy}\nLog: {settings.run_folder(run.id) / 'worker.log'}")
    return run
