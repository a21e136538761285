"""From the page: launch the demo recipe, watch it learn, read what it said."""

import re
from pathlib import Path
from typing import Any

import pytest
from dashboard_support import browsing, serving
from engine_support import Demo
from playwright.sync_api import expect

from core.records.status import RunStatus
from core.store import open_database
from core.store.runs import queries as stored

pytestmark = [pytest.mark.long, pytest.mark.engine, pytest.mark.browser, pytest.mark.timeout(900)]
SLOW = 240_000  # a loaded machine may take minutes to start the engine


def test_a_run_from_the_click_to_the_completions(demo: Demo, chromium_path: str | None, tmp_path: Path) -> None:
    with serving(demo.settings.home) as address, browsing(chromium_path) as browser:
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(address)
        expect(page.get_by_label("Base model")).to_have_value(re.compile("SmolLM2 135M"), timeout=30_000)
        expect(page.locator("#plan").get_by_role("status")).to_contain_text("GiB", timeout=30_000)
        page.get_by_role("spinbutton", name="Steps").fill("3")
        page.get_by_role("button", name="Launch run").click()
        page.wait_for_url(re.compile(r"/run\?id=\w+"), timeout=30_000)
        run_id = page.url.rsplit("=", 1)[1]
        expect(page.get_by_role("article", name="Group 1")).to_be_visible(timeout=SLOW)
        expect(page.locator("#groups")).to_contain_text("What is 2+2?")
        expect(page.locator("#headline")).to_contain_text("Step 2 of 3", timeout=SLOW)
        other = browser.new_page()
        other.goto(page.url)
        expect(other.get_by_role("heading", level=1)).to_contain_text("Completed", timeout=SLOW)
        expect(other.locator(".chart-canvas canvas").first).to_be_visible()
        page.reload()
        expect(page.get_by_role("heading", level=1)).to_contain_text("Completed", timeout=SLOW)
    database = open_database(demo.settings.database_url)
    with database.reading() as connection:
        run = stored.get_run(connection, run_id)
        assert (run.status, run.step, run.config.steps) == (RunStatus.COMPLETED, 3, 3)
        assert stored.summarise(connection, run_id).completions == 3 * 32
    database.close()


def test_a_run_is_stopped_resumed_cloned_and_compared_from_the_page(demo: Demo, chromium_path: str | None) -> None:
    with serving(demo.settings.home) as address, browsing(chromium_path) as browser:
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        state = page.get_by_role("heading", level=1)
        page.goto(address)
        first = _launched(page, steps=6)
        expect(page.get_by_role("article", name="Group 1")).to_be_visible(timeout=SLOW)
        page.get_by_role("button", name=re.compile("Stop")).click()
        expect(state).to_contain_text("Stopped", timeout=SLOW)
        page.get_by_role("button", name="Resume").click()
        expect(state).to_contain_text("Completed", timeout=SLOW)
        expect(page.locator("#headline")).to_contain_text("Step 6 of 6")
        page.get_by_role("link", name="Clone with changes").click()
        page.wait_for_url(re.compile("like="))
        second = _launched(page, steps=2)
        expect(state).to_contain_text("Completed", timeout=SLOW)
        page.goto(f"{address}/compare?runs={first},{second}")
        expect(page.locator("#final")).to_contain_text("6 of 6")
        expect(page.locator("#final")).to_contain_text("2 of 2")
        expect(page.locator("#differences")).to_contain_text("steps")


def _launched(page: Any, steps: int) -> str:
    """Presses Launch with so many steps, and gives the id of the run whose page comes."""
    expect(page.locator("#plan").get_by_role("status")).to_contain_text("GiB", timeout=30_000)
    page.get_by_role("spinbutton", name="Steps").fill(str(steps))
    page.get_by_role("button", name="Launch run").click()
    page.wait_for_url(re.compile(r"/run\?id=\w+"), timeout=30_000)
    return str(page.url.rsplit("=", 1)[1])
