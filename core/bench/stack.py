"""Measurements that need the training stack: started by name, their last line read."""

import json
import subprocess
import sys
from typing import Any

from core.errors import GrouperError
from core.settings import PROJECT, Settings, worker_environment

REPEATS = 3


def bench_generation(settings: Settings, repeats: int = REPEATS) -> dict[str, Any]:
    """The engine against HF generate, on this machine's CPU.

    JSON: {results: [{workload, medians: {stock_best, stock_default, grouper}, ratio_best, ratio_default, floor, ...}],
    machine, repeats}; seconds, and tokens per second besides
    """
    return _run(settings, "generation", str(repeats))


def bench_step(settings: Settings, steps: int = 3) -> dict[str, Any]:
    """A step of the demo recipe against stock TRL's, on this machine's CPU. The same JSON."""
    return _run(settings, "step", str(steps))


def bench_learning(settings: Settings, steps: int = 16, seeds: int = REPEATS) -> dict[str, Any]:
    """Rewards by step of the demo recipe over several seeds, here in bf16 and NF4 and in stock TRL.

    JSON: {results: {stock_best, grouper, grouper_nf4: {curves, began, ended, spread}}, steps, seeds}
    """
    return _run(settings, "learning", str(steps), str(seeds))


def _run(settings: Settings, name: str, *arguments: str) -> dict[str, Any]:
    """Progress passes through to stderr. Raises GrouperError when the program fails."""
    command = [sys.executable, "-W", "ignore", "-m", f"core.worker.benches.{name}", *arguments]
    done = subprocess.run(
        command, cwd=PROJECT, env=worker_environment(settings), stdout=subprocess.PIPE, text=True, check=False
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        raise GrouperError(f"The measurement {name} ended with status {done.returncode}; what it said is above.")
    found: dict[str, Any] = json.loads(lines[-1])
    return found
