"""What several commands take, and the store they open."""

from typing import Annotated, Any

import typer

from core.settings import Settings, load_settings
from core.store import Database, open_database

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
RunId = Annotated[str, typer.Argument(metavar="ID", help="A run's id, as `grouper runs` lists it.")]


def chosen(options: dict[str, Any]) -> dict[str, Any]:
    """The options somebody gave."""
    return {name: value for name, value in options.items() if value is not None}


def open_state() -> tuple[Settings, Database]:
    settings = load_settings()
    return settings, open_database(settings.database_url)
