"""Measurements that are programs of their own, since what they measure stands above this package or apart from it."""

import json
import subprocess
import sys
from typing import Any

from core.errors import GrouperError
from core.settings import PROJECT, Settings, worker_environment


def run_program(settings: Settings, module: str, *arguments: str) -> dict[str, Any]:
    """The JSON document in the last line of `python -m module`; progress passes through to stderr.

    Raises GrouperError when the program fails.
    """
    command = [sys.executable, "-W", "ignore", "-m", module, *arguments]
    done = subprocess.run(
        command, cwd=PROJECT, env=worker_environment(settings), stdout=subprocess.PIPE, text=True, check=False
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        raise GrouperError(f"The measurement {module} ended with status {done.returncode}; what it said is above.")
    found: dict[str, Any] = json.loads(lines[-1])
    return found
