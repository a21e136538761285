"""How a child is started under a level: its command, its environment and what it is told about itself."""

import os
import secrets
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.settings import PROJECT
from core.tasks.sandbox.levels import Level

SANDBOX = Path(__file__).parent
BOX_TOKEN = "GROUPER_BOX"  # in the environment of a child and of all it starts
# What the child's own modules are, of this project: nothing else of it is shown to a user's file.
CHILDS_MODULES = (PROJECT / "core/__init__.py", PROJECT / "core/tasks/__init__.py", SANDBOX)
SYSTEM = ("/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/localtime", "/dev/urandom", "/dev/zero")
FIRST_USER, USERS = 61184, 4336  # numbers that systemd too gives to services without a user of their own


@dataclass(frozen=True)
class Limits:
    """memory_bytes: of address space; processes: threads count as such; file_bytes: of each file that it writes."""

    memory_bytes: int = 2 << 30
    processes: int = 64
    file_bytes: int = 64 << 20
    open_files: int = 64


@dataclass(frozen=True)
class Launch:
    """command: the numbers of two pipes are yet to be appended; confinement: what the child is told to do to itself."""

    command: tuple[str, ...]
    environment: dict[str, str]
    folder: Path
    confinement: dict[str, Any]


def launch(
    level: Level, limits: Limits, folder: Path, readable: Sequence[str], token: str, forking: bool = False
) -> Launch:
    """What starts a child.

    folder    its own, empty or prepared; it can write there under `PLAIN` alone
    readable  files and folders beside Python's own and the system's
    forking   whether it may start processes of its own program
    """
    shown = [*_outermost([*_python(), *SYSTEM, *readable])]
    command = [sys.executable, "-s", "-P", "-B", str(SANDBOX / "child.py")]
    if level.enclosed:
        command = [*_bubblewrap(_outermost([*shown, *map(str, CHILDS_MODULES)])), *command]
    confinement = {
        "memory_bytes": limits.memory_bytes,
        "processes": limits.processes,
        "file_bytes": limits.file_bytes,
        "open_files": limits.open_files,
        "locked": level.locked,
        "enclosed": level.enclosed,
        "forking": forking,
        "uid": FIRST_USER + secrets.randbelow(USERS) if os.geteuid() == 0 else None,
        "readable": shown,
    }
    home = folder if not level.locked else Path("/")
    return Launch(tuple(command), _environment(home, token), home, confinement)


def _environment(home: Path, token: str) -> dict[str, str]:
    """Nothing of this process's own. With more threads numpy meets the limit of memory."""
    return {
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": str(home),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONHASHSEED": "0",
        BOX_TOKEN: token,
    }


def _python() -> list[str]:
    """Where this Python and its packages lie, under the names they have and under those they resolve to."""
    prefixes = {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix}
    prefixes |= {os.path.realpath(prefix) for prefix in prefixes}
    parts = ("bin", "lib", "lib64", "pyvenv.cfg")
    return [os.path.join(prefix, part) for prefix in sorted(prefixes) for part in parts]


def _outermost(paths: Iterable[str]) -> list[str]:
    """Those that exist and do not lie in another of them."""
    found = {path for path in paths if os.path.exists(path)}
    return sorted(path for path in found if not any(path.startswith(f"{other}/") for other in found))


def _bubblewrap(shown: Sequence[str]) -> list[str]:
    """bubblewrap's part of the command: only these paths, read-only; no network, no processes but its own."""
    tool = shutil.which("bwrap") or "bwrap"
    words = [tool, "--die-with-parent", "--unshare-cgroup-try"]
    words += ["--unshare-net", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--cap-drop", "ALL"]
    if os.geteuid() == 0:
        # Root becomes another user inside: a limit of processes does not bind root.
        words += [word for each in ("SETUID", "SETGID", "DAC_READ_SEARCH") for word in ("--cap-add", f"CAP_{each}")]
    else:
        words += ["--unshare-user"]
    # Parents that bubblewrap makes by itself would be closed to everybody but root.
    parents = {str(parent) for path in shown for parent in Path(path).parents} - {"/"}
    for parent in sorted(parents):
        words += ["--perms", "0755", "--dir", parent]
    words += ["--dev", "/dev"]
    for path in shown:
        words += [] if path.startswith("/dev/") else ["--ro-bind", path, path]
    return [*words, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/", "--"]
