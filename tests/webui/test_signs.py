"""What a run says about itself while it happens: advice made of its figures, its worker's log, its events."""

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from dashboard_support import dashboard_of, database_of
from playwright.sync_api import expect
from samples import add_run, sampled

from core.jobs.health import RECENT
from core.settings import load_settings
from core.store import Database
from core.store.rollouts.record import record_step
from core.store.runs import lifecycle

pytestmark = pytest.mark.browser
AT_ITS_END = "log => log.clientHeight < log.scrollHeight && log.scrollTop + log.clientHeight >= log.scrollHeight - 2"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("signs")


database = pytest.fixture(scope="module")(database_of)
dashboard = pytest.fixture(scope="module")(dashboard_of)


@pytest.fixture(scope="module")
def runs(database: Database) -> dict[str, str]:
    """A run one step before its figures are enough to judge it by."""
    run = add_run(database, "cut run", 0)
    for number in range(1, RECENT):
        cut(database, run.id, number)
    return {"cut": run.id}


@pytest.fixture
def log(home: Path, runs: dict[str, str]) -> Path:
    """The worker's log of that run, longer than what is seen of it at once."""
    folder = load_settings({"GROUPER_HOME": str(home)}).run_folder(runs["cut"])
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "worker.log"
    path.write_text("".join(f"\x1b[32mINFO\x1b[0m line {number}\n" for number in range(50)))
    return path


@pytest.fixture
def quiet(page: Any) -> Iterator[Any]:
    """The tab, when it writes no error to the console."""
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    yield page
    assert errors == []


def cut(database: Database, run_id: str, number: int) -> None:
    """A step whose completions nearly all reach the limit."""
    step = sampled(number, random.Random(number))
    with database.writing() as connection:
        changed = replace(step, metrics={**step.metrics, "completions/clipped_ratio": 0.97})
        record_step(connection, run_id, changed)


def test_advice_log_and_events_are_shown_and_followed(
    quiet: Any, runs: dict[str, str], database: Database, log: Path
) -> None:
    quiet.goto(f"/run?id={runs['cut']}")
    expect(quiet.locator("#headline")).to_contain_text(f"Step {RECENT - 1}")
    expect(quiet.locator(".advisories")).to_have_count(0)
    tail, events = quiet.locator("pre.log"), quiet.locator(".events li")
    quiet.locator("[data-key=log] summary").click()
    quiet.locator("[data-key=events] summary").click()
    expect(tail).to_contain_text("INFO line 49")  # without its colour codes
    assert tail.evaluate(AT_ITS_END)
    expect(events).to_have_count(3)

    with log.open("a") as more:
        more.write("the newest line\n")
    with database.writing() as connection:
        lifecycle.add_event(connection, runs["cut"], "note", "A disk was changed.", "worker")
    cut(database, runs["cut"], RECENT)

    advice = quiet.locator(".advisories")
    expect(advice).to_contain_text("Completions are cut")
    expect(advice).to_contain_text("97% of the last 10 steps' completions were cut at 64 tokens.")
    expect(advice.locator(".remedy")).to_contain_text("completion_tokens")
    expect(tail).to_contain_text("the newest line")
    assert tail.evaluate(AT_ITS_END)
    expect(events).to_have_count(4)
    expect(events.last).to_contain_text("A disk was changed.")
    box, below = tail.bounding_box(), quiet.locator("[data-key=events] summary").bounding_box()
    assert box["y"] + box["height"] <= below["y"]


def test_the_launch_form_is_walked_through_with_the_tab_key_alone(quiet: Any) -> None:
    quiet.goto("/")
    expect(quiet.locator("#plan .verdict")).to_be_visible()
    quiet.get_by_role("button", name="Light or dark").focus()
    for name in ("Base model", "GPU", "LoRA rank", "Task"):
        quiet.keyboard.press("Tab")
        field = quiet.get_by_role("combobox", name=name)
        expect(field).to_be_focused()
        assert field.evaluate("field => getComputedStyle(field.closest('.container > .wrap')).outlineStyle") == "solid"
