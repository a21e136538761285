"""The dashboard's pages over many long runs: started by name, for the pages stand above this package."""

import json
import subprocess
import sys
from typing import Any

from core.errors import GrouperError
from core.settings import PROJECT, Settings, worker_environment


def bench_pages(settings: Settings, runs: int, steps: int) -> dict[str, Any]:
    """Times of the pages' handlers and the processor time of fifty viewers. JSON: see `webui.bench`.

    The measurement has a state folder of its own. Raises GrouperError when the program fails.
    """
    command = [sys.executable, "-W", "ignore", "-m", "webui.bench", str(runs), str(steps)]
    done = subprocess.run(
        command, cwd=PROJECT, env=worker_environment(settings), stdout=subprocess.PIPE, text=True, check=False
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        raise GrouperError(f"The measurement of the pages ended with status {done.returncode}; what it said is above.")
    found: dict[str, Any] = json.loads(lines[-1])
    return found
