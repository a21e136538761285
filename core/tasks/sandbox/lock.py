"""A process locks itself for good: Landlock takes files from it, seccomp takes system calls.

Neither needs a privilege, a namespace or a package: both are asked for with ctypes. Threads stay possible, and what an
event loop needs (a pair of connected Unix sockets).
https://docs.kernel.org/userspace-api/landlock.html  https://docs.kernel.org/userspace-api/seccomp_filter.html
"""

import ctypes
import os
import stat
from collections.abc import Iterable, Sequence
from errno import ENOSYS, EPERM
from struct import pack

from core.tasks.sandbox import syscalls
from core.tasks.sandbox.syscalls import NUMBERS, REFUSED, Architecture

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, PR_SET_PDEATHSIG, SECCOMP_MODE_FILTER = 38, 22, 1, 2

# Landlock: rights over a file or folder, and the version of the interface that each of the later ones came with.
WRITE_FILE, READ_FILE, READ_DIR = 1 << 1, 1 << 2, 1 << 3
IN_OWN_FOLDER = sum(1 << bit for bit in (1, 2, 3, 4, 5, 7, 8))  # these, and to delete and make folders and plain files
FIRST_RIGHTS = (1 << 13) - 1
LATER_RIGHTS = ((2, 1 << 13), (3, 1 << 14), (5, 1 << 15))  # moving between folders, truncating, device controls
TCP, ABSTRACT_SOCKETS_AND_SIGNALS = 3, 3
SIGNALS_SCOPED = 6  # from this version on a locked process can signal none outside the lock

# seccomp's little programs: instructions and answers.
LOAD, EQUAL, AT_LEAST, ANY_BIT, AND, RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
ALLOW, KILL, ERROR = 0x7FFF0000, 0x80000000, 0x00050000
NUMBER, ARCHITECTURE = 0, 4  # where in `struct seccomp_data`
X32 = 0x40000000  # a second set of numbers on x86_64

CLONE_THREAD = 0x10000
AF_UNIX, SOCK_STREAM, SOCK_FLAGS = 1, 1, (0, 0o4000, 0o2000000, 0o2004000)  # of SOCK_NONBLOCK and SOCK_CLOEXEC
# Namespaces of their own (CLONE_NEW*), and a child that counts as its parent's sibling (CLONE_PARENT).
CLONE_REFUSED = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000 | 0x8000
# Commands on an open file that reach beyond it: signals to its owner (F_SETOWN, F_SETSIG, F_SETOWN_EX), leases and
# notices (F_SETLEASE, F_NOTIFY).
FCNTL_REFUSED = (8, 10, 15, 1024, 1026)
# All that Python asks of an open file: TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX. Others change a file's
# attributes, type into a terminal or send signals (FIOSETOWN).
IOCTL_ALLOWED = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
O_ACCMODE, O_TRUNC = 0o3, 0o1000

_libc = ctypes.CDLL(None, use_errno=True)


class CannotLock(Exception):
    """This kernel or machine does not have what the lock needs; the text says what."""


def lock(
    readable: Iterable[str], writable: Iterable[str], forking: bool, enclosed: bool, newest: int | None = None
) -> int:
    """Locks this process, whose only thread must be the calling one, and all it may start. Gives Landlock's version.

    readable  files and folders that stay readable, those that do not exist left out
    writable  folders in which files may be made, changed and deleted; nothing else stays writable
    forking   whether it may go on starting processes of its own program
    enclosed  whether it sees no foreign file and process anyway: then it is 0, and no error, where there is no Landlock
    newest    the newest version of Landlock's interface to use, as if the kernel were that old; None: all it has
    Raises CannotLock; the process may then be locked in part.
    """
    here = syscalls.architecture()
    if here is None:
        raise CannotLock("the numbers of this processor's system calls are not known")
    version = landlock_version() if newest is None else min(newest, landlock_version())
    if version < 1 and not enclosed:
        raise CannotLock("this kernel has no Landlock, or it is switched off")
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    if version >= 1:
        _take_files(version, readable, writable)
    _take_calls(_filter(here, forking, own_signals_only=not (forking and (enclosed or version >= SIGNALS_SCOPED))))
    return version


def die_with_parent() -> None:
    """The kernel ends this process when the thread that started it is gone. A change of user undoes it."""
    _prctl(PR_SET_PDEATHSIG, 9)


def landlock_version() -> int:
    """The version of Landlock's interface; 0 where there is none."""
    return max(0, _libc.syscall(syscalls.LANDLOCK_CREATE, None, ctypes.c_size_t(0), 1))


def _take_files(version: int, readable: Iterable[str], writable: Iterable[str]) -> None:
    rights = FIRST_RIGHTS | sum(bit for since, bit in LATER_RIGHTS if version >= since)
    fields = [rights, TCP if version >= 4 else 0, ABSTRACT_SOCKETS_AND_SIGNALS if version >= SIGNALS_SCOPED else 0]
    known = 3 if version >= 6 else 2 if version >= 4 else 1
    attributes = pack(f"{known}Q", *fields[:known])
    ruleset = _libc.syscall(syscalls.LANDLOCK_CREATE, attributes, ctypes.c_size_t(len(attributes)), 0)
    if ruleset < 0:
        raise CannotLock(f"Landlock refuses: {os.strerror(ctypes.get_errno())}")
    for path in readable:
        _allow(ruleset, path, READ_FILE | READ_DIR)
    for path in writable:
        _allow(ruleset, path, IN_OWN_FOLDER | sum(bit for since, bit in LATER_RIGHTS[:2] if version >= since))
    _allow(ruleset, os.devnull, READ_FILE | WRITE_FILE)
    if _libc.syscall(syscalls.LANDLOCK_RESTRICT, ruleset, 0) != 0:
        raise CannotLock(f"Landlock refuses: {os.strerror(ctypes.get_errno())}")
    os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        beneath = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    if not stat.S_ISDIR(os.fstat(beneath).st_mode):
        rights &= ~READ_DIR
    _libc.syscall(syscalls.LANDLOCK_ADD, ruleset, 1, pack("=Qi", rights, beneath), 0)
    os.close(beneath)


def _take_calls(program: bytes) -> None:
    buffer = ctypes.create_string_buffer(program, len(program))
    _prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(buffer)))


def _filter(here: Architecture, forking: bool, own_signals_only: bool) -> bytes:
    """The program that the kernel asks about each system call."""

    def number(name: str) -> int | None:
        return NUMBERS[name][here.column]

    own = (os.getpid(),)
    parts = [
        _do(LOAD, ARCHITECTURE) + _do(EQUAL, here.audit, 1, 0) + _do(RETURN, KILL),
        _do(LOAD, NUMBER) + _do(AT_LEAST, X32, 0, 1) + _do(RETURN, KILL),
        _do(AT_LEAST, syscalls.FIRST_UNKNOWN, 0, 1) + _error(ENOSYS),
        *(_refuse(number(name)) for name in REFUSED),
        _refuse(number("clone3"), ENOSYS),  # its arguments cannot be seen; libraries then take clone
        _only(number("prlimit64"), 0, (0, *own)),
        _only(number("sched_setaffinity"), 0, (0, *own)),
        _never(number("prctl"), 0, (PR_SET_PDEATHSIG,)),
        _never(number("fcntl"), 1, FCNTL_REFUSED),
        _only(number("ioctl"), 1, IOCTL_ALLOWED),
        # Landlock before its third version lets a file be emptied that is opened for reading.
        _no_emptying(number("open"), 1),
        _no_emptying(number("openat"), 2),
        _refuse(number("openat2"), ENOSYS),  # its arguments cannot be seen
        # A stream between two ends of one process: it cannot be turned elsewhere, as a datagram socket could.
        _only(number("socketpair"), 0, (AF_UNIX,)),
        _only(number("socketpair"), 1, [SOCK_STREAM | flags for flags in SOCK_FLAGS]),
    ]
    if own_signals_only:
        parts += [_only(number("kill"), 0, own), _only(number("tgkill"), 0, own)]
    parts += [_examine(number("clone"), 0, _do(ANY_BIT, CLONE_REFUSED, 0, 1) + _error(EPERM))]
    if not forking:
        parts += [_refuse(number("fork")), _refuse(number("vfork")), _threads_only(number("clone"))]
    return b"".join(parts) + _do(RETURN, ALLOW)


def _do(code: int, operand: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return pack("HBBI", code, if_true, if_false, operand)


def _error(code: int) -> bytes:
    return _do(RETURN, ERROR | code)


def _refuse(number: int | None, code: int = EPERM) -> bytes:
    return b"" if number is None else _do(EQUAL, number, 0, 1) + _error(code)


def _only(number: int | None, argument: int, values: Sequence[int]) -> bytes:
    """The call is refused without one of these as the low 32 bits of this argument."""
    compared = b"".join(_do(EQUAL, value, len(values) - at, 0) for at, value in enumerate(values))
    return _examine(number, argument, compared + _error(EPERM))


def _never(number: int | None, argument: int, values: Sequence[int]) -> bytes:
    """The call is refused with one of these as the low 32 bits of this argument."""
    return _examine(number, argument, b"".join(_do(EQUAL, value, 0, 1) + _error(EPERM) for value in values))


def _no_emptying(number: int | None, argument: int) -> bytes:
    """Opening a file is refused where that empties it without these flags asking for the right to write."""
    flags = _do(AND, O_TRUNC | O_ACCMODE)
    return _examine(number, argument, flags + _do(EQUAL, O_TRUNC, 1, 0) + _do(EQUAL, O_TRUNC | 3, 0, 1) + _error(EPERM))


def _threads_only(number: int | None) -> bytes:
    return _examine(number, 0, _do(ANY_BIT, CLONE_THREAD, 1, 0) + _error(EPERM))


def _examine(number: int | None, argument: int, body: bytes) -> bytes:
    """`body` sees the argument of this call; a call that it lets through goes on to the next instruction."""
    if number is None:
        return b""
    body = _do(LOAD, _low_half(argument)) + body + _do(LOAD, NUMBER)
    return _do(EQUAL, number, 0, len(body) // 8) + body


def _low_half(argument: int) -> int:
    """Where in `struct seccomp_data` the low 32 bits of an argument stand; both architectures are little-endian."""
    return 16 + 8 * argument


def _prctl(option: int, value: int, pointer: bytes = b"") -> None:
    nothing = ctypes.c_ulong(0)
    if _libc.prctl(option, ctypes.c_ulong(value), pointer or nothing, nothing, nothing) != 0:
        raise CannotLock(f"the kernel refuses: {os.strerror(ctypes.get_errno())}")
