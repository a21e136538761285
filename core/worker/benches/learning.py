"""`python -m core.worker.benches.learning STEPS SEEDS`: reward by step of the demo recipe, here and in stock TRL.

Each contender trains with the same seeds, so on the same prompts in the same order; what it samples is its own.
"""

import json
import statistics
import sys
from typing import Any

from core.worker.benches.step import WARM_UP, in_its_own_process

CONTENDERS: dict[str, tuple[str, dict[str, Any]]] = {
    "stock_best": ("stock_best", {}),
    "grouper": ("grouper", {}),
    "grouper_nf4": ("grouper", {"quantization": "nf4"}),
}
# Steps whose mean is what a run ended with: one step has four prompts, and is noise.
LAST = 4


def main(steps: int, seeds: int) -> None:
    curves: dict[str, list[list[float]]] = {name: [] for name in CONTENDERS}
    for seed in range(seeds):  # all contenders by seed, so that a measurement cut short has compared something
        for name, (contender, overrides) in CONTENDERS.items():
            found = in_its_own_process(contender, steps - WARM_UP, {"seed": seed, **overrides})
            curves[name].append([round(reward, 3) for reward in found["rewards"]])
            sys.stderr.write(f"{name}, seed {seed}: {curves[name][-1]}\n")
    found = {name: summary(of_seeds) for name, of_seeds in curves.items()}
    sys.stdout.write(json.dumps({"results": found, "steps": steps, "seeds": seeds}) + "\n")


def summary(curves: list[list[float]]) -> dict[str, Any]:
    """The curves, and the mean and spread over the seeds of what they began and ended with."""
    began = [statistics.mean(curve[:LAST]) for curve in curves]
    ended = [statistics.mean(curve[-LAST:]) for curve in curves]
    return {
        "curves": curves,
        "began": round(statistics.mean(began), 3),
        "ended": round(statistics.mean(ended), 3),
        "spread": round(statistics.stdev(ended), 3) if len(ended) > 1 else None,
    }


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
