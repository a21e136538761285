"""What this machine cannot beat: from a measured matrix product and copy, the least time a workload can take."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from core.worker.dtype import compute_dtype

REPEATS = 7
COPIED_BYTES = 256 * 2**20


@dataclass(frozen=True)
class Floor:
    """What the machine reaches in the type that a run computes in.

    flops      operations a second in a large product
    bandwidth  bytes a second read (and as many written)
    width      bytes of a number
    """

    flops: float
    bandwidth: float
    width: int = 2

    def decode(self, parameters: int, lengths: Sequence[int]) -> float:
        """Seconds to decode completions of these lengths together: each step reads every weight once and multiplies
        it with every sequence still running."""
        total = 0.0
        for step in range(max(lengths)):
            running = sum(length > step for length in lengths)
            total += max(self.width * parameters / (2 * self.bandwidth), 2 * parameters * running / self.flops)
        return total

    def forward(self, parameters: int, tokens: int) -> float:
        return 2 * parameters * tokens / self.flops

    def update(self, parameters: int, tokens: int) -> float:
        """Forward and backward of a frozen base under an adapter: the gradient of the inputs, none of the weights."""
        return 4 * parameters * tokens / self.flops

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def measure_floor() -> Floor:
    """Medians on this machine: a product of 2048 x 2048 x 2048, a copy of 256 MiB."""
    size, dtype = 2048, compute_dtype(torch.device("cpu"))
    left, right = (torch.randn(size, size, dtype=dtype) for _ in range(2))
    source = torch.ones(COPIED_BYTES, dtype=torch.uint8)
    target = torch.empty_like(source)
    product = _seconds(lambda: left @ right)
    copied = _seconds(lambda: target.copy_(source))
    return Floor(2 * size**3 / product, COPIED_BYTES / copied, dtype.itemsize)


def _seconds(work: Callable[[], object]) -> float:
    work()
    taken = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)
