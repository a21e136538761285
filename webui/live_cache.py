"""What all viewers are shown is read and made once, however many watch.

A page in a browser asks `/changes` every other second for one short text, the change token, and asks for its panels
only when that text is another one. The token is read from the database at most once in FRESH_S for all of them;
histories and panels are kept for the next viewer.
"""

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar, cast

from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from core.jobs import submission
from core.settings import Settings
from core.store import Database
from core.store.runs import queries
from core.store.runs.history import History, read_history

T = TypeVar("T")
FRESH_S = 0.5
MOST_HISTORIES, MOST_PANELS, MOST_ARRIVING = 24, 64, 500
SILENT_S = 20.0  # a heartbeat comes every second; without one the worker hangs, or waits for the database


class LiveCache:
    """Built once a process. Safe to use from any thread."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database, self._settings = database, settings
        self._boot = secrets.token_hex(4)  # another one tells an open page that the server is a new one
        self._lock = threading.Lock()
        self._tokens: dict[str, tuple[float, str]] = {}
        self._made: OrderedDict[Hashable, Any] = OrderedDict()
        self._making: dict[Hashable, threading.Lock] = {}
        self._histories: OrderedDict[str, History] = OrderedDict()
        self._arriving: OrderedDict[str, Any] = OrderedDict()

    def token(self, run_id: str = "") -> str:
        """Changes when the run does, or with no run when any run does: its record, its log, or its worker's silence."""
        with self._lock:
            read_at, token = self._tokens.get(run_id, (0.0, ""))
            if time.monotonic() - read_at < FRESH_S:
                return token
            token = f"{self._boot}:{self._read(run_id)}"
            if len(self._tokens) > 1000:
                self._tokens.clear()
            self._tokens[run_id] = (time.monotonic(), token)
            return token

    def _read(self, run_id: str) -> str:
        with self._database.reading() as connection:
            if not run_id:
                return queries.change_token(connection)
            mark = queries.run_mark(connection, run_id)
        if mark is None:
            return "gone"
        revision, heartbeat_at = mark
        silent = heartbeat_at is not None and time.time() - heartbeat_at > SILENT_S
        return f"{revision}-{submission.log_size(self._settings, run_id)}-{silent:d}"

    def history(self, run_id: str) -> History:
        """The run's history as of now: read whole for the first viewer, brought forward for the others."""
        with self._making_of(("history", run_id)):
            before = self._histories.get(run_id)
            with self._database.reading() as connection:
                found = read_history(connection, run_id, before)
            with self._lock:
                self._histories[run_id] = found
                self._histories.move_to_end(run_id)
                while len(self._histories) > MOST_HISTORIES:
                    self._histories.popitem(last=False)
            return found

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` returns, made by the first who asks for this key while the others wait."""
        with self._making_of(key):
            if key in self._made:
                return cast(T, self._made[key])
            value = make()
            with self._lock:
                self._made[key] = value
                while len(self._made) > MOST_PANELS:
                    gone, _ = self._made.popitem(last=False)
                    self._making.pop(gone, None)
            return value

    def leave(self, view: object) -> str:
        """Keeps what a tab has been sent with its page, under a key for the tab to bring when it has started."""
        key = secrets.token_hex(8)
        with self._lock:
            self._arriving[key] = view
            while len(self._arriving) > MOST_ARRIVING:
                self._arriving.popitem(last=False)
        return key

    def arrived(self, key: str, kind: type[T]) -> T | None:
        """What was left under this key; None for a tab that comes a second time, or too late."""
        with self._lock:
            view = self._arriving.pop(str(key), None)
        return view if isinstance(view, kind) else None

    def _making_of(self, key: Hashable) -> threading.Lock:
        with self._lock:
            return self._making.setdefault(key, threading.Lock())

    def route(self) -> Route:
        """`/changes` and `/changes?run=ID`: the token as plain text."""

        def answer(request: Request) -> PlainTextResponse:
            token = self.token(request.query_params.get("run", "")[:20])
            return PlainTextResponse(token, headers={"Cache-Control": "no-store"})

        return Route("/changes", answer)
