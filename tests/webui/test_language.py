"""Every page in German: what a reader meets is said in German, and in English as it was written."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dashboard_support import dashboard_of, database_of
from playwright.sync_api import expect
from samples import STEPS, add_run, end_run

from core.config import RunConfig
from core.runs import Failure, RunStatus
from core.store import Database, annotating, finding, lifecycle
from core.store.wanted import CompletionFilter
from webui import forms
from webui.language import CATALOGUES

pytestmark = pytest.mark.browser
PAGES = (
    "",
    "runs",
    "runs?search=nothing",
    "run?id={learned}",
    "run?id={failed}",
    "run?id={working}",
    "run?id={waiting}",
    "run?id=nobody",
    "compare?runs={learned},{failed}",
    "compare",
    "completions?run={learned}&step=3&group=2",
    "find?run={learned}",
    "find?run={learned}&search=nothing",
    "completion?id={first}",
    "prompt?id={first}",
    "replay?run={learned}",
    "doctor",
    "about",
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("language")


database = pytest.fixture(scope="module")(database_of)
dashboard = pytest.fixture(scope="module")(dashboard_of)


@pytest.fixture(scope="module")
def runs(database: Database) -> dict[str, Any]:
    """A run of every kind, and the number of a completion."""
    learned = add_run(database, "learned", STEPS)
    end_run(database, learned, RunStatus.COMPLETED)
    failed = add_run(database, "broken", 3, rank=16)
    end_run(database, failed, RunStatus.FAILED, Failure("out-of-memory", "It ran out.", "Lower it.", "Traceback"))
    working = add_run(database, "Runs", 20)  # a run may be called what a page is called
    with database.writing() as connection:
        waiting = lifecycle.enqueue(connection, working.config, "waiting")
        annotating.tag(connection, learned.id, add=["Reward"])
    with database.reading() as connection:
        found, _ = finding.list_completions(connection, learned.id, CompletionFilter(sort="oldest", limit=1))
    ids = {"learned": learned, "failed": failed, "working": working, "waiting": waiting}
    return {**{name: run.id for name, run in ids.items()}, "first": found[0].id}


@pytest.fixture(scope="module")
def german(chromium: Any, dashboard: str) -> Iterator[Any]:
    context = chromium.new_context(locale="de-DE", base_url=dashboard, viewport={"width": 1440, "height": 900})
    tab = context.new_page()
    yield tab
    context.close()
