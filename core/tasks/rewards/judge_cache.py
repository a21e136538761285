"""Scores that a judge has given, kept in a file so that the same question is paid for once.

The file may be deleted, locked or spoilt at any time: then questions are asked again, and nothing else happens.
"""

import contextlib
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

FILE = "judge.sqlite"
AT_ONCE = 500  # keys in one statement
WAIT_S = 1.0  # for another run's writing


class JudgeCache:
    """Open for one step, in one thread."""

    def __init__(self, folder: Path) -> None:
        self._connection = _opened(folder / FILE)

    def read(self, keys: Iterable[str]) -> dict[str, float]:
        """Key -> score, from 0.0 to 1.0, of those that are known."""
        found, wanted = dict[str, float](), [*keys]
        with contextlib.suppress(sqlite3.Error):
            for start in range(0, len(wanted) if self._connection else 0, AT_ONCE):
                assert self._connection is not None
                some = wanted[start : start + AT_ONCE]
                places = ", ".join("?" * len(some))
                found.update(self._connection.execute(f"SELECT key, score FROM scores WHERE key IN ({places})", some))
        return {key: score for key, score in found.items() if isinstance(score, float) and 0.0 <= score <= 1.0}

    def write(self, key: str, score: float) -> None:
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error), self._connection:
                self._connection.execute("INSERT OR REPLACE INTO scores VALUES (?, ?)", (key, score))

    def __enter__(self) -> "JudgeCache":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection is not None:
            self._connection.close()


def _opened(file: Path) -> sqlite3.Connection | None:
    """None where there can be no such file; one that is none of SQLite's is made anew."""
    for _ in range(2):
        connection = None
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(file, timeout=WAIT_S)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("CREATE TABLE IF NOT EXISTS scores (key TEXT PRIMARY KEY, score REAL) WITHOUT ROWID")
            return connection
        except (OSError, sqlite3.Error) as error:
            if connection is not None:
                connection.close()
            if isinstance(error, OSError | sqlite3.OperationalError):  # no such folder, no right, locked
                return None
            with contextlib.suppress(OSError):
                file.unlink()
    return None
