"""Progress through the phases of loading: shown live, logged, and stored with its seconds."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from core.runs import LoadPhase
from core.units import duration, gib
from core.worker.memory import held

log = logging.getLogger(__name__)


class Progress:
    """Announces each phase as it begins and reports it when it is done.

    begin  called with a phase's name
    done   called with its seconds and the memory the process held at its end
    """

    def __init__(self, begin: Callable[[str], None], done: Callable[[LoadPhase], None]) -> None:
        self._begin, self._done = begin, done

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        self._begin(name)
        started = time.perf_counter()
        yield
        finished = LoadPhase(name, time.perf_counter() - started, held())
        log.info("%s: %s, memory %s", name, duration(finished.seconds), gib(finished.memory_bytes))
        self._done(finished)
