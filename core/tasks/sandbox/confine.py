"""A child makes itself small before it loads anything foreign: limits, a user of its own, the lock."""

import ctypes
import os
import resource
import sys
from collections.abc import Mapping
from struct import pack
from typing import Any

from core.tasks.sandbox import syscalls
from core.tasks.sandbox.lock import die_with_parent, lock

PR_SET_KEEPCAPS = 8
CAPABILITY_VERSION = 0x20080522
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1, 2

_libc = ctypes.CDLL(None, use_errno=True)


def confine(config: Mapping[str, Any]) -> dict[str, int]:
    """Takes from this process what `config` says, in an order that each step still allows the next.

    config  memory_bytes, processes, file_bytes, open_files; locked, enclosed, forking: what the level is; uid: the user
            to become where this is root, or None; readable: paths that stay readable under a lock
    Gives facts about what was done. Raises CannotLock.
    """
    enclosed, locked = bool(config["enclosed"]), bool(config["locked"])
    own_user = locked and config["uid"] is not None and _become(int(config["uid"]))
    if not enclosed and sys.platform == "linux":  # bubblewrap sees to it by itself
        die_with_parent()
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, config["file_bytes"])
    _limit(resource.RLIMIT_NOFILE, config["open_files"])
    if own_user or enclosed:
        _limit(resource.RLIMIT_NPROC, config["processes"])
    elif config["forking"] or not locked:  # the limit counts whatever the user runs; threads alone are bound by memory
        _limit(resource.RLIMIT_NPROC, config["processes"] + _tasks_of_user())
    version = lock(config["readable"], (), bool(config["forking"]), enclosed) if locked else 0
    _limit(resource.RLIMIT_AS, config["memory_bytes"])
    return {"uid": os.getuid(), "landlock": version}


def _limit(kind: int, value: int) -> None:
    _, highest = resource.getrlimit(kind)
    value = value if highest == resource.RLIM_INFINITY else min(value, highest)
    resource.setrlimit(kind, (value, value))


def _become(uid: int) -> bool:
    """Root becomes this user, who may read and nothing else: the lock says what. False where it stays root."""
    if os.getuid() != 0:
        return False
    _libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
    try:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    except OSError:  # a container without the right, or without this user
        pass
    _keep_reading()
    return os.getuid() == uid


def _keep_reading() -> None:
    """Gives up every capability but one to read past file modes: Python may lie in root's home, closed to others."""
    here = syscalls.architecture()
    if here is None:
        return
    capset = syscalls.NUMBERS["capset"][here.column]
    for kept in (1 << CAP_DAC_READ_SEARCH, 1 << CAP_DAC_OVERRIDE, 0):
        if _libc.syscall(capset, pack("Ii", CAPABILITY_VERSION, 0), pack("6I", kept, kept, 0, 0, 0, 0)) == 0:
            return


def _tasks_of_user() -> int:
    """Processes and threads that this user has now; 0 where that cannot be seen."""
    count, uid = 0, os.getuid()
    try:
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                if os.stat(f"/proc/{name}").st_uid == uid:
                    count += len(os.listdir(f"/proc/{name}/task"))
            except OSError:
                continue  # it has ended meanwhile
    except OSError:
        return 0
    return count
