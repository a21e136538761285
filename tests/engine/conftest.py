"""One real demo run, shared by the tests that look at what it left."""

import json
from pathlib import Path

import pytest
from engine_support import TEN_MINUTES, Demo, grouper

from core.settings import load_settings


@pytest.fixture(scope="session")
def engine_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("engine")


@pytest.fixture(scope="session")
def demo(engine_home: Path) -> Demo:
    """The built-in recipe, from the command line, to the end."""
    arguments = ["launch", "--recipe", "addition", "--model", "smollm2-135m", "--gpu", "cpu", "--steps", "40"]
    result = grouper(engine_home, *arguments, "--wait", "--json", timeout=2 * TEN_MINUTES)
    assert result.returncode == 0, result.stderr[-3000:]
    settings = load_settings({"GROUPER_HOME": str(engine_home)})
    return Demo(settings, json.loads(result.stdout), result.stderr)
