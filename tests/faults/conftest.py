"""The converted built-in model, made once for all tests of faults."""

from collections.abc import Callable
from pathlib import Path

import pytest
from engine_support import grouper
from faults_support import home_with

from core.settings import Settings


@pytest.fixture(scope="session")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("converted")
    assert grouper(home, "prepare").returncode == 0
    return home / "models"


@pytest.fixture
def prepared(converted: Path, tmp_path: Path) -> Settings:
    """A state folder of its own with the converted model in it."""
    return home_with(converted, tmp_path / "home")


@pytest.fixture
def make_home(converted: Path, tmp_path: Path) -> Callable[[str], Settings]:
    return lambda name: home_with(converted, tmp_path / name)
