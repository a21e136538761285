"""Telling one process from another that later got the same number."""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

import psutil

from core.settings import RUN_TOKEN

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
CGROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Process:
    """A process of one boot of one machine; a recycled pid has another start time."""

    pid: int
    started: float
    boot_id: str


def identify(pid: int | None = None) -> Process:
    """This process, or the one with this pid, as something that stays distinguishable after it has ended."""
    pid = os.getpid() if pid is None else pid
    return Process(pid=pid, started=round(psutil.Process(pid).create_time(), 2), boot_id=boot_id())


def is_alive(process: Process) -> bool:
    """Whether exactly this process still runs; a zombie, a recycled pid and an earlier boot count as dead."""
    if process.boot_id != boot_id():
        return False
    try:
        found = psutil.Process(process.pid)
        same = abs(found.create_time() - process.started) < 1.0
        return same and found.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def boot_id() -> str:
    """Names this start of this machine."""
    return _read(BOOT_ID).strip() or f"{psutil.boot_time():.0f}"  # the latter where this is not Linux


def oom_counter(pid: int) -> str:
    """The file that counts the processes ended for memory in this process's control group; "" where nobody counts."""
    for line in _read(Path(f"/proc/{pid}/cgroup")).splitlines():
        _, controllers, group = line.split(":", 2)
        for kind, folder, file in (("memory", "memory", "memory.oom_control"), ("", "", "memory.events")):
            counter = CGROUPS / folder / group.strip("/") / file
            if kind in controllers.split(",") and "oom_kill " in _read(counter):
                return str(counter)
    return ""


def oom_kills(counter: str) -> int:
    """How many processes have been ended for memory by now, by such a file; 0 where it is gone."""
    for entry in _read(Path(counter)).splitlines() if counter else ():
        if entry.startswith("oom_kill "):
            return int(entry.split()[1])
    return 0


def family(process: Process, token: str) -> list[psutil.Process]:
    """What is alive of a worker: itself and whatever it started, known by the token in their environment.

    Nothing foreign is ever in the answer, and nothing from before the worker or from another boot.
    """
    members = []
    for candidate in psutil.process_iter():
        try:
            if candidate.status() != psutil.STATUS_ZOMBIE and candidate.environ().get(RUN_TOKEN) == token:
                members.append(candidate)
        except (psutil.Error, OSError):
            continue
    return [one for one in members if process.boot_id == boot_id() and one.create_time() >= process.started - 1.0]


def end(members: list[psutil.Process], patience_s: float) -> None:
    """Asks these processes to terminate, and ends those that have not after `patience_s`."""
    for signalled, wait_s in (("terminate", patience_s), ("kill", 10.0)):
        for member in members:
            with contextlib.suppress(psutil.Error):
                getattr(member, signalled)()
        _, members = psutil.wait_procs(members, timeout=wait_s)
        if not members:
            return


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
