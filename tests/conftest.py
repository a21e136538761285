"""Fixtures for every test: a state folder of its own, a real database, a browser that is there."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.settings import Settings, load_settings
from core.store import Database, open_database


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"GROUPER_HOME": str(tmp_path / "home")})


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    opened = open_database(settings.database_url)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def chromium_path() -> str | None:
    """A Chromium of the system; None lets Playwright use the one it installed itself."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next((found for name in names if (found := shutil.which(name))), None)
