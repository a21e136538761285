"""Progress through the phases of loading: shown live, logged, and stored with its seconds."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from core.records.run import LoadPhase
from core.units import duration, gib
from core.worker.memory import held

log = logging.getLogger(__name__)


class Progress:
    """Announces each phase as it begins and reports it when it is done.

    begin     called with a phase's name; it may raise to end the loading there
    done      called with its seconds and the memory the process held at its end
    expected  seconds each phase will probably take
    """

    def __init__(
        self,
        begin: Callable[[str], None],
        done: Callable[[LoadPhase], None],
        expected: Mapping[str, float] | None = None,
    ) -> None:
        self._begin, self._done, self._expected = begin, done, expected or {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        self._begin(name)
        log.info("%s: about %s", name, duration(self._expected[name]) if name in self._expected else "a moment")
        started = time.perf_counter()
        yield
        finished = LoadPhase(name, time.perf_counter() - started, held())
        log.info("%s: %s, memory %s", name, duration(finished.seconds), gib(finished.memory_bytes))
        self._done(finished)
