"""Asks the kernel past Python: each of these would be a way out, or the beginning of one."""

import ctypes
import platform
import struct

X86, ARM = 0, 1
CALLS = {  # name: (number on x86_64, on aarch64, arguments)
    "socket": (41, 198, (1, 1, 0)),
    "socketpair of datagrams": (53, 199, (1, 2, 0, b"12345678")),
    "memfd_create": (319, 279, (b"x", 0)),
    "execve": (59, 221, (b"/bin/true", None, None)),
    "ptrace": (101, 117, (16, "victim", None, None)),
    "io_uring_setup": (425, 425, (1, bytes(200))),
    "unshare": (272, 97, (0x10000000,)),
    "userfaultfd": (323, 282, (1,)),
    "pidfd_open": (434, 434, ("victim", 0)),
    "pidfd_send_signal": (424, 424, (0, 0, None, 0)),
    "tkill": (200, 130, ("victim", 0)),
    "tgkill": (234, 131, ("victim", "victim", 0)),
    "shmget": (29, 194, (0, 4096, 0o1600)),
    "mq_open": (240, 180, (b"hostile", 0o102, 0o600, None)),
    "add_key": (248, 217, (b"user", b"hostile", b"x", 1, -3)),
    "inotify_init": (294, 26, (0,)),
    "setsid": (112, 157, ()),
    "personality": (135, 92, (0x0040000,)),
    "prctl of the parent's death": (157, 167, (1, 0)),
    "fcntl of a pipe's owner": (72, 25, (0, 8, "victim")),
    "a call of the future": (500, 500, ()),
}


def reward(completions, victim, log_extra, **kwargs):
    libc = ctypes.CDLL(None, use_errno=True)
    column = ARM if platform.machine() == "aarch64" else X86
    passed = []
    for name, (*numbers, arguments) in CALLS.items():
        given = [victim[0] if argument == "victim" else argument for argument in arguments]
        if libc.syscall(numbers[column], *given) >= 0:
            passed.append(name)
    vector = struct.pack("QQ", 0, 8)
    if libc.syscall((310, 270)[column], victim[0], vector, 1, vector, 1, 0) >= 0:
        passed.append("process_vm_readv")
    log_extra("passed", [", ".join(passed)] * len(completions))
    return [float(len(passed))] * len(completions)
