"""A Hugging Face Space: only requirements.txt, no training stack; runs are shown, training is explained away."""

import subprocess
import sys
from pathlib import Path

import pytest
from dashboard_support import browsing, serving
from tests_support import a_step

from core.config import make_config
from core.records.status import RunStatus
from core.settings import PROJECT, load_settings
from core.store import open_database
from core.store.rollouts.record import record_step
from core.store.runs import lifecycle

pytestmark = [pytest.mark.network, pytest.mark.browser, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def light_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("space") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin" / "python"
    install = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--compile-bytecode", "--python", python]
    subprocess.run([*install, "-r", PROJECT / "requirements.txt"], check=True, cwd=PROJECT)
    return python


def test_the_dashboard_without_the_training_stack(
    light_python: Path, tmp_path: Path, chromium_path: str | None
) -> None:
    database = open_database(load_settings({"GROUPER_HOME": str(tmp_path)}).database_url)
    with database.writing() as connection:
        config = make_config({"model": "smollm2-135m", "recipe": "addition", "rank": 16})
        run = lifecycle.enqueue(connection, config, name="stored earlier")
        record_step(connection, run.id, a_step(1))
        lifecycle.move(connection, run.id, RunStatus.CANCELLED)
    database.close()
    missing = subprocess.run(
        [light_python, "-c", "import torch"], capture_output=True, text=True, cwd=PROJECT, check=False
    )
    assert "No module named 'torch'" in missing.stderr
    with (
        serving(tmp_path, str(light_python), SPACE_ID="someone/grouper") as address,
        browsing(chromium_path) as browser,
    ):
        page = browser.new_page()
        page.goto(address)
        page.get_by_text("cannot train").first.wait_for(timeout=30_000)
        page.goto(f"{address}/runs")
        page.get_by_text("stored earlier").first.wait_for(timeout=30_000)
