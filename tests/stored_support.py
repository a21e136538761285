"""Databases of every shape that was ever written, each as the version that wrote it left it."""

import gzip
import json
from pathlib import Path

import sqlalchemy as sa

from core.settings import PROJECT, Settings, load_settings
from core.store import Database, open_database
from core.store.schema import runs

STORED = PROJECT / "tests" / "data" / "stored"
SHAPES = sorted(path.name.removesuffix(".sqlite.gz") for path in STORED.glob("*.sqlite.gz"))
# What each of them holds: two runs that have steps, one that failed, one that waits.
NAMES = {"finished", "stopped early", "failed", "waiting"}


def state_of(home: Path, shape: str) -> Settings:
    """A state folder whose database has this shape."""
    settings = load_settings({"GROUPER_HOME": str(home)})
    home.mkdir(parents=True, exist_ok=True)
    file = Path(settings.database_url.removeprefix("sqlite:///"))
    file.write_bytes(gzip.decompress((STORED / f"{shape}.sqlite.gz").read_bytes()))
    return settings


def open_shape(home: Path, shape: str) -> Database:
    return open_database(state_of(home, shape).database_url)


def change(database: Database, run_id: str, **columns: object) -> None:
    """Writes a run's columns as another version might have."""
    with database.writing() as connection:
        connection.execute(sa.update(runs).where(runs.c.id == run_id).values(**columns))


def from_the_future(database: Database, run_id: str) -> None:
    """A config of a later form, with a field that nobody here knows."""
    with database.reading() as connection:
        text = connection.execute(sa.select(runs.c.config).where(runs.c.id == run_id)).scalar_one()
    change(database, run_id, config=json.dumps({**json.loads(text), "schema_version": 99, "tree_search": "mcts"}))
