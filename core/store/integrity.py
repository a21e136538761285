"""Whether the database is sound."""

import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError

from core.store.database import Database

MOST_FINDINGS = 5


def problems(database: Database) -> list[str]:
    """What SQLite finds wrong with the file: broken pages, rows that point nowhere, a journal that is not WAL."""
    try:
        return _problems(database)
    except DatabaseError as error:  # damage that stops SQLite before it can describe it
        return [str(error.orig)]


def _problems(database: Database) -> list[str]:
    with database.reading() as connection:
        found = [str(row[0]) for row in connection.exec_driver_sql(f"PRAGMA quick_check({MOST_FINDINGS})")]
        orphans = len(connection.exec_driver_sql("PRAGMA foreign_key_check").fetchmany(MOST_FINDINGS))
        mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar_one()
    found = [line for line in found if line != "ok"]
    if orphans:
        found.append(f"{orphans} or more rows belong to runs that are gone")
    if mode != "wal":
        found.append(f"the journal mode is {mode} instead of WAL")
    return found


def size_bytes(database: Database) -> int:
    """The file as SQLite counts it: pages in use and free."""
    with database.reading() as connection:
        pages, each = (
            connection.execute(sa.text(f"PRAGMA {name}")).scalar_one() for name in ("page_count", "page_size")
        )
    return int(pages) * int(each)


def table_bytes(database: Database, table: str) -> int:
    """What one table takes in the file, with its indices left out."""
    with database.reading() as connection:
        query = sa.text("SELECT coalesce(sum(pgsize), 0) FROM dbstat WHERE name = :table")
        return int(connection.execute(query, {"table": table}).scalar_one())


def trainer_bytes(database: Database) -> float:
    """What a completion's trainer logprobs and entropies take, on average, judged by a thousand of all ids."""
    with database.reading() as connection:
        last = connection.execute(sa.text("SELECT coalesce(max(completion), 0) FROM tokens")).scalar_one()
        spread = ",".join(map(str, range(1, last + 1, last // 1000 + 1)))
        each = "coalesce(length(trainer_logprobs), 0) + coalesce(length(entropies), 0)"
        some = f"SELECT coalesce(avg({each}), 0) FROM tokens WHERE completion IN ({spread})"
        return float(connection.execute(sa.text(some)).scalar_one())
