"""The README's commands work as they stand."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from tests_support import a_step

from core.config import make_config
from core.records.status import RunStatus
from core.settings import PROJECT, load_settings
from core.store import open_database
from core.store.rollouts.record import record_step
from core.store.runs import lifecycle

README = (PROJECT / "README.md").read_text(encoding="utf-8")
LINES = [
    line.split("#")[0].strip()
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
    if line.strip()
]
GROUPER = [line.removeprefix(".venv/bin/grouper ") for line in LINES if "grouper" in line]
LONG = "launch"  # trains for minutes: run by the engine's tests with the same words


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A state folder with a run that is still queued, so that it can be stopped and then deleted."""
    database = open_database(load_settings({"GROUPER_HOME": str(tmp_path)}).database_url)
    with database.writing() as connection:
        run = lifecycle.enqueue(connection, make_config({"model": "smollm2-135m", "recipe": "addition", "rank": 16}))
        for number in (1, 2):
            record_step(connection, run.id, a_step(number))
        assert run.status is RunStatus.QUEUED
    database.close()
    (tmp_path / "run-id").write_text(run.id, encoding="utf-8")
    return tmp_path


@pytest.mark.tree
def test_grouper_commands_in_order(home: Path) -> None:
    run_id = (home / "run-id").read_text(encoding="utf-8")
    assert len(GROUPER) >= 7
    for line in GROUPER:
        if line.startswith(LONG):
            continue
        result = subprocess.run(
            [sys.executable, "-m", "core", *shlex.split(line.replace("RUN", run_id))],
            cwd=PROJECT,
            env={**os.environ, "GROUPER_HOME": str(home)},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert result.returncode == 0, f"{line}: {result.stderr}"
        assert result.stdout.strip(), line


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith("make")])
def test_make_targets_exist(line: str) -> None:
    result = subprocess.run(["make", "-n", *shlex.split(line)[1:]], cwd=PROJECT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_front_matter_names_what_is_installed() -> None:
    front = README.split("---")[1]
    assert "app_file: app.py" in front
    version = re.search(r"^sdk_version: (.+)$", front, re.MULTILINE)
    assert version is not None
    assert f"gradio=={version[1]}" in (PROJECT / "requirements.txt").read_text(encoding="utf-8")


def test_pictures_exist() -> None:
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", README)
    assert pictures
    assert all((PROJECT / picture).is_file() for picture in pictures)


def test_linked_files_and_folders_of_the_tree_exist() -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    assert links
    assert [link for link in links if not (PROJECT / link).is_file()] == []
    tree = README.split("## How it is built")[1].split("```")[1]
    folder, missing = "", []
    for indent, name in re.findall(r"^( *)([\w./]+) {2,}", tree, re.MULTILINE):
        folder = folder if indent else name
        path = PROJECT / (f"{folder}{name}" if indent else name)
        missing += [] if path.exists() else [path.name]
    assert missing == []
    assert len(README.splitlines()) < 110
