"""What this process really holds, in bytes, by phase."""

import contextlib
from pathlib import Path

import psutil
import torch

from core.worker.engines.engine import InferenceEngine

STATUS = Path("/proc/self/status")
CLEAR = Path("/proc/self/clear_refs")


class PeakMeter:
    """The peak of each phase since it was last read: host memory on a CPU, the GPU's memory on a GPU.

    The names are the planner's: rollout, sync, update.

    engine  tells what it has given back for a while, which torch goes on counting
    """

    def __init__(self, engine: InferenceEngine) -> None:
        self._engine = engine
        self._peaks: dict[str, int] = {}
        self._phase = ""

    def enter(self, phase: str) -> None:
        """Books the peak of the phase that ends and starts a new one. What is in no phase of a plan is left out."""
        if self._phase:
            self._peaks[self._phase] = max(self._peaks.get(self._phase, 0), _peak(self._engine.asleep_bytes))
        self._phase = phase
        _reset_peak()

    def read(self) -> dict[str, int]:
        """The peaks of the step, and what is resident now; the next step begins."""
        self.enter("")
        peaks, self._peaks = self._peaks, {}
        return {**peaks, "resident": resident()}


def resident() -> int:
    """Host memory of this process now."""
    return int(psutil.Process().memory_info().rss)


def held() -> int:
    """What the process holds now on the device that a plan is about."""
    return _gpu_total(torch.cuda.memory_reserved(), 0) if torch.cuda.is_available() else resident()


def _peak(asleep_bytes: int) -> int:
    if torch.cuda.is_available():
        return _gpu_total(torch.cuda.max_memory_reserved(), asleep_bytes)
    with contextlib.suppress(OSError):
        for line in STATUS.read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return resident()


def _reset_peak() -> None:
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        return
    # Writing 5 resets VmHWM (proc(5)); where that is refused the peak is the one since the process began.
    with contextlib.suppress(OSError):
        CLEAR.write_text("5", encoding="ascii")


def _gpu_total(reserved: int, asleep_bytes: int) -> int:
    """torch's own reservation plus what the driver counts besides it: context, graphs, other allocators."""
    free, total = torch.cuda.mem_get_info()
    return reserved - asleep_bytes + max(0, total - free - torch.cuda.memory_reserved() + asleep_bytes)
