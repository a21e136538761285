"""Writes tried again while a locked database or a full disk passes; what was sampled is kept in memory meanwhile."""

import errno
import logging
import time
from collections.abc import Callable
from typing import Any, TypeVar

from core.errors import StoreBusy
from core.insights.known_failures import recognise
from core.store import Database
from core.store.runs import lifecycle
from core.units import duration
from core.worker.heartbeat import Heartbeat

RETRY_S, LONGEST_S = 2.0, 3600.0
T = TypeVar("T")
log = logging.getLogger(__name__)


class RetryingWriter:
    """Writes for a run that would rather wait than fail. Where it had to wait, an event says for how long and why."""

    def __init__(self, database: Database, run_id: str, heartbeat: Heartbeat) -> None:
        self._database, self._run_id, self._heartbeat = database, run_id, heartbeat

    def write(self, work: Callable[[Any], T]) -> T:
        """`work(connection)` in one transaction, tried again until it is committed.

        Raises StoreBusy when that takes longer than an hour.
        """

        def attempt() -> T:
            with self._database.writing() as connection:
                return work(connection)

        return self.until_done(attempt)

    def until_done(self, attempt: Callable[[], T]) -> T:
        """The outcome of `attempt()`, which may be called again as long as the disk is full or the database locked."""
        began, why, phase = time.monotonic(), "", self._heartbeat.phase
        while True:
            try:
                found = attempt()
                break
            except Exception as error:
                waited = time.monotonic() - began
                if not _passes(error) or waited > LONGEST_S:
                    raise
                why = str(error).splitlines()[0] if str(error) else type(error).__name__
                log.warning("Waiting since %s: %s", duration(waited), why)
                self._heartbeat.enter("waiting for the disk or the database")
                time.sleep(RETRY_S)
        if why:
            self._heartbeat.enter(phase)
            self._tell(f"Waited {duration(time.monotonic() - began)} and went on: {why}")
        return found

    def _tell(self, message: str) -> None:
        log.warning(message)
        try:
            with self._database.writing() as connection:
                lifecycle.add_event(connection, self._run_id, "warning", message, "worker")
        except StoreBusy:  # the log has it
            return


def _passes(error: Exception) -> bool:
    if isinstance(error, StoreBusy):
        return True
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    known = recognise(str(error))
    return known is not None and known.kind == "disk-full"
