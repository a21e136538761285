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


@pytest.fixture(scope="session")
def fresh_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database as it is when nothing has happened: its tables are made once, and every test begins with a copy."""
    path = tmp_path_factory.mktemp("fresh") / "grouper.db"
    open_database(f"sqlite:///{path}").close()
    return path


@pytest.fixture
def database(settings: Settings, fresh_database: Path) -> Iterator[Database]:
    settings.home.mkdir(parents=True)
    shutil.copy(fresh_database, settings.home)
    opened = open_database(settings.database_url)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def chromium_path() -> str | None:
    """A Chromium of the system; None lets Playwright use the one it installed itself."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next((found for name in names if (found := shutil.which(name))), None)
