"""Measurements that need the training stack: started by name, their last line read."""

from typing import Any

from core.bench.program import run_program
from core.settings import Settings

REPEATS = 3


def bench_generation(settings: Settings, repeats: int = REPEATS) -> dict[str, Any]:
    """The engine against HF generate, on this machine's CPU.

    JSON: {results: [{workload, medians: {stock_best, stock_default, grouper}, ratio_best, ratio_default, floor, ...}],
    machine, repeats}; seconds, and tokens per second besides
    """
    return run_program(settings, "core.worker.benches.generation", str(repeats))


def bench_step(settings: Settings, steps: int = 3) -> dict[str, Any]:
    """A step of the demo recipe against stock TRL's, on this machine's CPU. The same JSON."""
    return run_program(settings, "core.worker.benches.step", str(steps))


def bench_learning(settings: Settings, steps: int = 16, seeds: int = REPEATS) -> dict[str, Any]:
    """Rewards by step of the demo recipe over several seeds, here in bf16 and NF4 and in stock TRL.

    JSON: {results: {stock_best, grouper, grouper_nf4: {curves, began, ended, spread}}, steps, seeds}
    """
    return run_program(settings, "core.worker.benches.learning", str(steps), str(seeds))
