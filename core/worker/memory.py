"""What this process really holds, in bytes."""

import contextlib
from pathlib import Path

import psutil
import torch

STATUS = Path("/proc/self/status")
CLEAR = Path("/proc/self/clear_refs")


def measure() -> dict[str, int]:
    """Resident host memory now and at its peak since `reset_peak`, and the GPU's reserved peak where there is one."""
    measured = {"resident": psutil.Process().memory_info().rss, "resident_peak": _host_peak()}
    if torch.cuda.is_available():
        measured["gpu_peak"] = torch.cuda.max_memory_reserved()
    return measured


def reset_peak() -> None:
    """Starts a new peak measurement (Linux: writing 5 to clear_refs resets VmHWM, see proc(5))."""
    with contextlib.suppress(OSError):  # without it the peak is the one since the process began: an upper bound
        CLEAR.write_text("5", encoding="ascii")
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()


def _host_peak() -> int:
    try:
        for line in STATUS.read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return int(psutil.Process().memory_info().rss)
