"""Where the seconds and the memory of a step go, by phase."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from core.worker.engines.engine import InferenceEngine
from core.worker.memory import PeakMeter

# The planner's names for the phases of a step.
PLANNED_PHASE = {"generate": "rollout", "evaluate": "rollout", "sync": "sync"}


class StepClock:
    """Announces each phase of a step as it begins and adds up its seconds; what is in no phase is the update's."""

    def __init__(self, engine: InferenceEngine, announce: Callable[[str], None]) -> None:
        self._announce, self._memory = announce, PeakMeter(engine)
        self._seconds: dict[str, float] = {}
        self._began = time.perf_counter()

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        self._announce(name)
        self._memory.enter(PLANNED_PHASE.get(name, "update"))
        began = time.perf_counter()
        yield
        self._seconds[name] = self._seconds.get(name, 0.0) + time.perf_counter() - began
        self._announce("update")
        # What an engine holds that goes to rest only now is no part of the update.
        self._memory.enter("update" if name == "reward" else "")

    def begin_step(self) -> None:
        self._seconds, self._began = {}, time.perf_counter()

    def end_step(self) -> tuple[dict[str, float], dict[str, int]]:
        """(seconds, bytes) by phase of the step that ends here."""
        taken = time.perf_counter() - self._began - sum(self._seconds.values())
        seconds, self._seconds = {**self._seconds, "update": taken}, {}
        self._announce("record")
        return seconds, self._memory.read()
