"""The dashboard's pages over many long runs: started by name, for the pages stand above this package."""

from pathlib import Path
from typing import Any

from core.bench.program import run_program
from core.settings import Settings


def bench_pages(settings: Settings, runs: int, steps: int, keep: Path | None = None) -> dict[str, Any]:
    """Times of the pages' handlers and the processor time of fifty viewers. JSON: see `webui.bench`.

    The measurement has a state folder of its own; with `keep` it stays there and is used again. Raises GrouperError
    when the program fails.
    """
    return run_program(settings, "webui.bench", str(runs), str(steps), *([str(keep.resolve())] if keep else []))
