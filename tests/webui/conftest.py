"""A dashboard's state with a run of every kind, written through the store as a worker would."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dashboard_support import browsing, dashboard_of, database_of
from samples import HOSTILE, STEPS, add_run, end_run

from core.records.run import Failure
from core.records.status import RunStatus
from core.store import Database


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("grouper")


database = pytest.fixture(scope="session")(database_of)
dashboard = pytest.fixture(scope="session")(dashboard_of)


@pytest.fixture(scope="session")
def runs(database: Database) -> dict[str, str]:
    """Ids of a finished, a failed and a running run."""
    finished = add_run(database, "finished run", STEPS)
    end_run(database, finished, RunStatus.COMPLETED)
    failed = add_run(database, "failed <b>run</b>", 3, extra=HOSTILE, rank=16)
    failure = Failure(
        "out-of-memory",
        "The GPU ran out of memory while updating the adapter.",
        "Lower per_device_train_batch_size to 8.",
        "Traceback: torch.OutOfMemoryError",
    )
    end_run(database, failed, RunStatus.FAILED, failure)
    running = add_run(database, "running run", 23)
    return {"finished": finished.id, "failed": failed.id, "running": running.id}


@pytest.fixture(scope="session")
def chromium(chromium_path: str | None) -> Iterator[Any]:
    with browsing(chromium_path) as browser:
        yield browser


@pytest.fixture
def page(chromium: Any, dashboard: str, request: pytest.FixtureRequest) -> Iterator[Any]:
    """A tab at the dashboard. Nothing may be asked of another host and no script may fail.

    With GROUPER_SCREENSHOTS naming a folder, every test leaves a picture of how its page ended.
    """
    tab = chromium.new_page(viewport={"width": 1440, "height": 900}, base_url=dashboard)
    problems: list[str] = []
    tab.on("pageerror", lambda error: problems.append(str(error)))
    tab.on("request", lambda asked: problems.extend(_elsewhere(asked.url, dashboard)))
    tab.set_default_timeout(15_000)
    yield tab
    folder = os.environ.get("GROUPER_SCREENSHOTS")
    if folder:
        tab.screenshot(path=Path(folder) / f"{request.node.name}.png")
    tab.close()
    assert problems == []


def _elsewhere(url: str, dashboard: str) -> list[str]:
    return [] if url.startswith((dashboard, "data:", "blob:")) else [f"asked another host: {url}"]
