"""Databases of earlier versions in the pages, with a run from the future beside what they hold."""

import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from dashboard_support import serving
from playwright.sync_api import expect
from samples import add_run
from stored_support import SHAPES, from_the_future, open_shape

from core.installation import stack_report
from core.records.run import Run
from core.store.runs import lifecycle, queries

pytestmark = pytest.mark.browser
# The first, the odd one and the newest; every shape is read, listed, cloned and resumed in tests/core/store.
SHOWN = (SHAPES[0], "0007-without-0005", SHAPES[-1])
PAGES = (
    "runs", "run?id={finished}", "run?id={failed}", "run?id={future}", "compare?runs={finished},{failed}",
    "compare?runs={finished},{future}", "completions?run={finished}&step=2", "completions?run={future}&step=1",
    "find?run={finished}", "prompt?id=1", "completion?id=1", "replay?run={finished}", "evaluation?run={finished}",
    "evaluation", "replay", "?like={finished}",
)  # fmt: skip


@dataclass(frozen=True)
class Stored:
    address: str
    ids: dict[str, str]


@pytest.fixture(scope="module", params=SHOWN)
def stored(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stored]:
    """A dashboard over a database of this shape. One of its runs is from the future; the device is taken by this very
    process, so that nothing is started."""
    home: Path = tmp_path_factory.mktemp("stored")
    database = open_shape(home, request.param)
    working = add_run(database, "working", 2)
    with database.reading() as connection:
        ids = {run.name: run.id for run in queries.list_runs(connection)}
    from_the_future(database, ids["stopped early"])
    ids["future"] = ids["stopped early"]
    with serving(home) as address:
        yield Stored(address, ids)
        with database.reading() as connection:
            waiting: list[Run] = queries.queued_runs(connection)
            assert queries.get_run(connection, working.id).status == "running"
    assert "waiting" in {run.name for run in waiting}
    with database.writing() as connection:
        lifecycle.request_stop(connection, ids["waiting"], "test")
    database.close()


def test_every_page_shows_what_is_stored(stored: Stored) -> None:
    for page in PAGES:
        with urllib.request.urlopen(f"{stored.address}/{page.format(**stored.ids)}", timeout=30) as answer:
            said = answer.read().decode()
        assert ("panel-box error" in said) == (page in ("run?id={failed}", "run?id={future}")), page


def test_a_run_from_the_future_is_listed_and_deleted_beside_the_others(stored: Stored, chromium: Any) -> None:
    tab = chromium.new_page(viewport={"width": 1440, "height": 900}, base_url=stored.address)
    tab.goto("/runs")
    expect(tab.locator("table.runs tbody tr")).to_have_count(5)
    row = tab.locator("table.runs tbody tr", has_text="stopped early")
    expect(row).to_contain_text("Unreadable")
    row.get_by_role("link", name="stopped early").click()
    expect(tab.get_by_role("alert")).to_contain_text("form 99")
    tab.get_by_role("alert").get_by_text("Details").click()
    expect(tab.get_by_role("alert")).to_contain_text('"tree_search": "mcts"')
    expect(tab.locator("#groups")).to_contain_text("<answer>9</answer>")
    for control in ("Resume", "Clone with changes", "Extend"):
        expect(tab.locator("#controls").get_by_text(control)).to_have_count(0)
    if stack_report().can_train:
        tab.goto(f"/run?id={stored.ids['failed']}")
        tab.get_by_role("button", name="Resume").click()
        expect(tab.get_by_role("heading", level=1)).to_contain_text("Queued")
    tab.goto(f"/run?id={stored.ids['future']}")
    tab.get_by_role("button", name="Delete").click()
    tab.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(tab.get_by_role("heading", name="No such run")).to_be_visible()
    tab.goto("/runs")
    expect(tab.locator("table.runs tbody tr")).to_have_count(4)
    tab.close()
