"""The database file: opening it, the two kinds of transaction, and bringing its schema up to date."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.exc import DatabaseError, OperationalError

from core.errors import StoreError

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_TIMEOUT_MS = 30_000


class Database:
    """One SQLite file in WAL mode. Built once per process by `open_database` and passed on."""

    def __init__(self, engine: sa.Engine, path: Path) -> None:
        self._engine = engine
        self.path = path

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A consistent snapshot; anything that writes fails."""
        with self._engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA query_only=1")
            connection.exec_driver_sql("BEGIN")
            try:
                yield connection
            finally:
                connection.rollback()
                connection.exec_driver_sql("PRAGMA query_only=0")

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """One short write: takes the write lock at once, commits at the end, rolls back on any error.

        Raises StoreError when the file stays locked longer than the busy timeout or the disk is full.
        """
        try:
            with self._engine.connect() as connection:
                # With a plain BEGIN two writers that both read first end in a lock error that no timeout mends.
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                try:
                    yield connection
                except BaseException:
                    connection.rollback()
                    raise
                connection.commit()
        except OperationalError as error:
            raise StoreError(_what_went_wrong(error, self.path)) from error

    def close(self) -> None:
        self._engine.dispose()


def open_database(url: str) -> Database:
    """Opens (and creates) the SQLite database at `url`, checks that it is in WAL mode, and migrates it forward.

    Raises StoreError when the folder refuses WAL, which means that its file system has no shared memory or locks.
    """
    path = Path(sa.make_url(url).database or "")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        engine = sa.create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000, "check_same_thread": False})
        sa.event.listen(engine, "connect", _configure)
        with engine.connect() as connection:
            mode = connection.exec_driver_sql("PRAGMA journal_mode=WAL").scalar_one()
            if mode != "wal":
                raise StoreError(
                    f"The folder {path.parent} does not support SQLite's WAL mode. "
                    "Set GROUPER_HOME to a folder on a local disk."
                )
        _migrate(engine)
    except (DatabaseError, OSError) as error:
        raise StoreError(_what_went_wrong(error, path)) from error
    return Database(engine, path)


def _configure(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # transactions are begun by hand, see Database.writing
    cursor = connection.cursor()
    for pragma in ("foreign_keys=ON", "synchronous=NORMAL", f"busy_timeout={BUSY_TIMEOUT_MS}", "temp_store=MEMORY"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _migrate(engine: sa.Engine) -> None:
    """Runs the migrations this file has not seen, all of them in one transaction."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    head = ScriptDirectory.from_config(config).get_current_head()
    with engine.connect() as connection:
        if MigrationContext.configure(connection).get_current_revision() == head:
            return
        connection.rollback()
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()


def _what_went_wrong(error: Exception, path: Path) -> str:
    text = str(getattr(error, "orig", error)).lower()
    if "locked" in text or "busy" in text:
        return f"The database {path} is locked by another process. Close what holds it, or wait and try again."
    if "full" in text or "no space" in text:
        return f"The disk that holds {path} is full. Free some space or set GROUPER_HOME to another disk."
    return f"The database {path} cannot be used: {getattr(error, 'orig', error)}. Check the folder and its permissions."
