"""What the pages' handlers take: with nothing kept from before, then after each new step of a run."""

import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from core.settings import load_settings
from core.store import Database
from core.store.runs.table import RunFilter
from webui.bench.serving import milliseconds
from webui.bench.store import next_step
from webui.pages import compare, run, runs
from webui.services import open_services

REPEATS = 7


def server_times(folder: Path, database: Database, ids: Sequence[str]) -> dict[str, float]:
    """`ids`: the run at work, and with it those that are compared."""
    settings = load_settings({"GROUPER_HOME": str(folder)})

    def cold(look: Callable[[Any], object]) -> float:
        taken = []
        for _ in range(REPEATS):
            services = open_services(settings)
            taken.append(milliseconds(lambda: look(services)))  # noqa: B023 - called at once
            services.close()
        return round(statistics.median(taken), 1)

    views = {
        "runs_first": lambda services: runs.render(services, RunFilter()),
        "runs_search": lambda services: runs.render(services, RunFilter(search="run 7", sort="-reward")),
        "run_first": lambda services: run.render(services, run.View(ids[0])),
        "compare_first": lambda services: compare.render(services, compare.View(tuple(ids))),
    }
    found: dict[str, float] = {name: cold(look) for name, look in views.items()}
    services = open_services(settings)
    live: dict[str, list[float]] = {"runs_update": [], "run_update": []}
    view, _ = run.render(services, run.View(ids[0]))
    runs.render(services, RunFilter())
    for _ in range(REPEATS):
        next_step(database, ids[0])
        time.sleep(0.6)  # until the change token is read again
        live["runs_update"].append(milliseconds(lambda: runs.render(services, RunFilter())))
        seen = view
        live["run_update"].append(milliseconds(lambda: run.render(services, seen)))  # noqa: B023 - called at once
        view, _ = run.render(services, view)
    services.close()
    return {**found, **{name: round(statistics.median(taken), 1) for name, taken in live.items()}}
