"""The dashboard's pages over many long runs: started by name, for the pages stand above this package."""

from typing import Any

from core.bench.program import run_program
from core.settings import Settings


def bench_pages(settings: Settings, runs: int, steps: int) -> dict[str, Any]:
    """Times of the pages' handlers and the processor time of fifty viewers. JSON: see `webui.bench`.

    The measurement has a state folder of its own. Raises GrouperError when the program fails.
    """
    return run_program(settings, "webui.bench", str(runs), str(steps))
