"""Runs and every sampled completion in SQLite. The only importer of SQLAlchemy.

A caller opens a transaction (`database.reading()` or `database.writing()`) and passes its connection to a named
function of `runs`, `rollouts` or `search`. Rows stay inside; frozen records of `core.records` go out.
"""

from core.store.database import Database, open_database

__all__ = ["Database", "open_database"]
