"""A newcomer's table, from the upload to a run that learned it, all in the page."""

import re
from pathlib import Path
from statistics import fmean

import pytest
from dashboard_support import browsing, serving
from engine_support import Demo
from own_support import write_capitals
from playwright.sync_api import expect

from core.records.status import RunStatus
from core.store import open_database
from core.store.runs import queries

pytestmark = [pytest.mark.engine, pytest.mark.browser, pytest.mark.timeout(900)]
SLOW = 240_000
STEPS = 14  # a fifth of what learns it well: enough to see it learn


def test_a_table_is_trained_from_the_page(demo: Demo, chromium_path: str | None, tmp_path: Path) -> None:
    with serving(demo.settings.home) as address, browsing(chromium_path) as browser:
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(f"{address}/new-task")
        expect(page.locator("#preview")).to_contain_text("first prompt stands here", timeout=30_000)
        page.locator("#upload input[type=file]").set_input_files(write_capitals(tmp_path))
        expect(page.locator("#columns")).to_contain_text("Taken for", timeout=30_000)
        question = page.locator("#field-user textarea")
        question.fill("")
        question.press_sequentially("What is the capital of {country}?")
        expect(page.locator("#preview")).to_contain_text("What is the capital of France?", timeout=30_000)
        page.get_by_role("button", name="Save task").click()
        page.wait_for_url(re.compile(r"/task\?name=capitals"), timeout=30_000)
        page.get_by_role("link", name="Launch with this task").click()
        expect(page.get_by_label("Task", exact=True)).to_have_value("capitals", timeout=30_000)
        page.get_by_role("spinbutton", name="Steps").fill(str(STEPS))
        expect(page.locator("#plan").get_by_role("status")).to_contain_text("GiB", timeout=30_000)
        page.get_by_role("button", name="Launch run").click()
        page.wait_for_url(re.compile(r"/run\?id=\w+"), timeout=30_000)
        run_id = page.url.rsplit("=", 1)[1]
        expect(page.get_by_role("article", name="Group 1")).to_be_visible(timeout=SLOW)
        expect(page.get_by_role("heading", level=1)).to_contain_text("Completed", timeout=SLOW)
        expect(page.locator("#records")).to_contain_text("What is the capital of {country}?")
    database = open_database(demo.settings.database_url)
    with database.reading() as connection:
        run, steps = queries.get_run(connection, run_id), queries.list_steps(connection, run_id)
    database.close()
    assert run.status is RunStatus.COMPLETED
    rewards = [step.metrics["reward"] or 0.0 for step in steps]
    assert fmean(rewards[-4:]) > fmean(rewards[:4]) + 0.1, rewards
    assert (demo.settings.run_folder(run_id) / "task" / "task.toml").is_file()
