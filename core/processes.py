"""Telling one process from another that later got the same number."""

import os
from pathlib import Path

import psutil

from core.runs import Process

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def identify(pid: int | None = None) -> Process:
    """This process, or the one with this pid, as something that stays distinguishable after it has ended."""
    pid = os.getpid() if pid is None else pid
    return Process(pid=pid, started=round(psutil.Process(pid).create_time(), 2), boot_id=_boot_id())


def is_alive(process: Process) -> bool:
    """Whether exactly this process still runs; a zombie, a recycled pid and an earlier boot count as dead."""
    if process.boot_id != _boot_id():
        return False
    try:
        found = psutil.Process(process.pid)
        same = abs(found.create_time() - process.started) < 1.0
        return same and found.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _boot_id() -> str:
    try:
        return BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:  # not Linux
        return f"{psutil.boot_time():.0f}"
