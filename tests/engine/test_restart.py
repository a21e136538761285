"""The dashboard dies while a run trains; the run goes on, and the next dashboard shows it live at once."""

import os
import re
import signal
import time
from pathlib import Path

import psutil
import pytest
from dashboard_support import browsing, serving
from faults_support import newest, wait_for_end, wait_for_log
from playwright.sync_api import expect
from runs_support import start
from tiny_support import save_tiny

from core.jobs import submission
from core.records.status import RunStatus
from core.store import open_database

pytestmark = [pytest.mark.engine, pytest.mark.browser, pytest.mark.timeout(600)]
LIVE_MS = 3000


def test_a_restarted_dashboard_shows_the_run_live(tmp_path: Path, chromium_path: str | None) -> None:
    settings, run = start(tmp_path / "home", save_tiny(tmp_path / "model"), by_web=True, steps=400)
    with serving(settings.home):
        wait_for_log(settings, run, "step 2/400")
        for child in psutil.Process().children():
            if "app.py" in " ".join(child.cmdline()):
                os.kill(child.pid, signal.SIGKILL)
    before = newest(settings).step
    time.sleep(1.0)
    assert newest(settings).step > before  # nobody watches, and it trains
    with serving(settings.home) as address, browsing(chromium_path) as browser:
        page = browser.new_page()
        page.goto(f"{address}/run?id={run.id}")
        expect(page.locator("#headline")).to_contain_text(re.compile(r"Step \d+ of 400"), timeout=LIVE_MS)
        shown = page.locator("#headline").inner_text()
        expect(page.locator("#headline")).not_to_contain_text(shown.splitlines()[0], timeout=LIVE_MS)
        expect(page.get_by_role("heading", level=1)).to_contain_text("Running")
        database = open_database(settings.database_url)
        submission.stop(database, run.id, "test")
        database.close()
        expect(page.get_by_role("heading", level=1)).to_contain_text("Stopped", timeout=60_000)
    assert wait_for_end(settings).status is RunStatus.STOPPED
