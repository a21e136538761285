"""The database file: opening it, the two kinds of transaction, and bringing its schema up to date."""

import contextlib
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
from alembic.util import CommandError
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler
from sqlalchemy.exc import DatabaseError, OperationalError

from core.errors import StoreBusy, StoreError
from core.store import columnar

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_TIMEOUT_MS = 30_000


class HintingCompiler(SQLiteCompiler):
    """Writes "INDEXED BY name" and "NOT INDEXED" after a table; SQLAlchemy's own drops hints for SQLite."""

    def get_from_hint_text(self, table: Any, text: str | None) -> str | None:
        return text


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

        Raises StoreBusy when the file stays locked longer than the busy timeout or the disk is full. What is committed
        is on the disk and outlives a loss of power.
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
            raise _trouble(error, self.path) from error

    def back_up(self, target: Path) -> None:
        """A whole copy of the database as it is now, through SQLite's backup, while others read and write."""
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = target.with_name(f"{target.name}.partial")
        try:
            scratch.unlink(missing_ok=True)
            with contextlib.closing(sqlite3.connect(scratch)) as copy, self._engine.connect() as connection:
                source = connection.connection.driver_connection
                assert isinstance(source, sqlite3.Connection)
                source.backup(copy)
            scratch.replace(target)
        except (DatabaseError, sqlite3.Error, OSError) as error:
            scratch.unlink(missing_ok=True)
            raise _trouble(error, target) from error

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
        engine.dialect.statement_compiler = HintingCompiler
        sa.event.listen(engine, "connect", _configure)
        with engine.connect() as connection:
            mode = connection.exec_driver_sql("PRAGMA journal_mode=WAL").scalar_one()
            if mode != "wal":
                raise StoreError(
                    f"The folder {path.parent} does not support SQLite's WAL mode. "
                    "Set GROUPER_HOME to a folder on a local disk."
                )
        database = Database(engine, path)
        _migrate(database, engine)
    except (DatabaseError, OSError) as error:
        raise _trouble(error, path) from error
    except CommandError as error:  # a revision that this installation has never heard of
        raise StoreError(f"The database {path} was written by a newer Grouper. Update this installation.") from error
    return database


def _configure(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # transactions are begun by hand, see Database.writing
    cursor = connection.cursor()
    for pragma in ("foreign_keys=ON", "synchronous=FULL", f"busy_timeout={BUSY_TIMEOUT_MS}", "temp_store=MEMORY"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _migrate(database: Database, engine: sa.Engine) -> None:
    """Runs the migrations this file has not seen, all in one transaction, after a copy of what was there before."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    head = ScriptDirectory.from_config(config).get_current_head()
    with engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
        if current == head:
            return
        connection.rollback()
        if current is not None:
            database.back_up(database.path.with_name(f"{database.path.name}.before-{head}"))
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        for run in connection.exec_driver_sql("SELECT key FROM runs").scalars().all():
            columnar.seal(connection, run)  # copies of what is there, which an older version did not make
        connection.commit()


def _trouble(error: Exception, path: Path) -> StoreError:
    text = str(getattr(error, "orig", error)).lower()
    if "locked" in text or "busy" in text:
        return StoreBusy(f"The database {path} is locked by another process. Close what holds it, or wait.")
    if "full" in text or "no space" in text or "disk i/o error" in text:
        return StoreBusy(f"The disk that holds {path} is full. Free some space or set GROUPER_HOME to another disk.")
    return StoreError(
        f"The database {path} cannot be used: {getattr(error, 'orig', error)}. Check the folder and its permissions."
    )
