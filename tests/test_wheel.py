"""Grouper installed as a wheel, away from any checkout: commands, catalogue, migrations and pages are all there."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from dashboard_support import browsing, serving

from core.settings import PROJECT

pytestmark = pytest.mark.tree
NOT_SOURCE = shutil.ignore_patterns(".*", "__pycache__", "build", "state", "*.egg-info")
WHERE = "import core, grouper, webui; print(core.__file__, grouper.__file__, webui.__file__)"
UV = (sys.executable, "-m", "uv")
SHIPPED = {"core", "grouper", "webui"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy: what an earlier build left in the checkout would be taken along."""
    source, built = tmp_path_factory.mktemp("source") / "grouper", tmp_path_factory.mktemp("built")
    shutil.copytree(PROJECT, source, ignore=NOT_SOURCE)
    build = [*UV, "build", "--quiet", "--wheel", "--no-build-isolation", "--python", sys.executable]
    subprocess.run([*build, "--out-dir", built, source], check=True)
    (path,) = built.glob("*.whl")
    return path


def test_the_wheel_holds_what_is_shipped_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    folders = {name.partition("/")[0] for name in names}
    assert {name for name in folders if not name.endswith(".dist-info")} == SHIPPED
    packed = {name for name in names if name.partition("/")[0] in SHIPPED}
    there = {
        path.relative_to(PROJECT).as_posix()
        for folder in SHIPPED
        for path in (PROJECT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert packed == there


@pytest.fixture(scope="module")
def programs(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of commands of an environment with requirements.txt and the wheel, without the training stack."""
    folder = tmp_path_factory.mktemp("installed") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    install = [*UV, "pip", "install", "--quiet", "--compile-bytecode", "--python", folder / "bin" / "python"]
    subprocess.run([*install, "-r", PROJECT / "requirements.txt"], check=True, cwd=PROJECT)
    subprocess.run([*install, "--no-deps", wheel], check=True, cwd=folder)
    return folder / "bin"


@pytest.mark.network
@pytest.mark.timeout(900)
def test_commands_work_from_anywhere(programs: Path, tmp_path: Path) -> None:
    def grouper(*words: str) -> str:
        environment = {**os.environ, "GROUPER_HOME": str(tmp_path / "home"), "PYTHONPATH": ""}
        done = subprocess.run(
            [programs / "grouper", *words], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    where = [programs / "python", "-c", WHERE]
    found = subprocess.run(where, cwd=tmp_path, env={"PYTHONPATH": ""}, capture_output=True, text=True, check=True)
    assert found.stdout.count("site-packages") == 3
    assert json.loads(grouper("plan", "--model", "qwen2.5-7b", "--gpu", "rtx-4090", "--json"))["phases"]
    assert grouper("runs") == "No runs yet.\n"
    assert (tmp_path / "home" / "grouper.db").is_file()


@pytest.mark.network
@pytest.mark.browser
@pytest.mark.timeout(900)
def test_the_dashboard_opens(programs: Path, tmp_path: Path, chromium_path: str | None) -> None:
    grouper = str(programs / "grouper")
    with (
        serving(tmp_path / "home", grouper, words=["ui"], cwd=tmp_path, PYTHONPATH="") as address,
        browsing(chromium_path) as browser,
    ):
        page = browser.new_page()
        page.goto(address)
        page.get_by_text("cannot train").first.wait_for(timeout=30_000)
        assert page.evaluate("getComputedStyle(document.body).getPropertyValue('--series-1')").strip()
        page.goto(f"{address}/about")
        page.get_by_text(str(tmp_path / "home")).first.wait_for(timeout=30_000)
