"""The worker's heartbeat, by which it also hears of stop requests."""

import logging
import signal
import threading
from types import TracebackType
from typing import Self

from core.errors import GrouperError
from core.records.status import RunStatus
from core.store import Database
from core.store.runs import lifecycle, queries

BEAT_S = 1.0
log = logging.getLogger(__name__)


class Heartbeat:
    """A thread that once a second writes the heartbeat and the current phase and reads whether to stop.

    Phases change several times a second on a small model; writing them from here keeps them off the training path.
    """

    def __init__(self, database: Database, run_id: str) -> None:
        self._database, self._run_id = database, run_id
        self._phase = self._written = ""
        self._stop, self._ending = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    @property
    def stop_requested(self) -> bool:
        return self._stop.is_set()

    @property
    def phase(self) -> str:
        """The phase the worker is in."""
        return self._phase

    def enter(self, name: str) -> None:
        """Says what the worker does from now on."""
        self._phase = name

    def __enter__(self) -> Self:
        # Asking the process to terminate is a stop request like any other: finish the step, save, end.
        signal.signal(signal.SIGTERM, lambda *_: self._stop.set())
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        self._thread.join(timeout=10)

    def _beat(self) -> None:
        while not self._ending.wait(BEAT_S):
            try:
                with self._database.writing() as connection:
                    status = queries.get_run(connection, self._run_id).status
                    if status.is_final:
                        return
                    if self._phase != self._written:
                        lifecycle.enter_phase(connection, self._run_id, self._phase)
                        self._written = self._phase
                    else:
                        lifecycle.beat(connection, self._run_id)
                    if status is RunStatus.STOPPING:
                        self._stop.set()
            except GrouperError as error:
                log.warning("No heartbeat this second: %s", error)
