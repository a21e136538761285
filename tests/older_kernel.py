"""`python older_kernel.py CALL... -- COMMAND...`: a command on a kernel that lacks these system calls, by their number.

Without `mount` bubblewrap can make no namespace, and without `landlock_create_ruleset` there is no Landlock.
"""

import ctypes
import os
import sys
from collections.abc import Collection
from struct import pack

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, FILTER = 38, 22, 2
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, ENOSYS = 0x7FFF0000, 0x00050026


def take_away(calls: Collection[int]) -> None:
    """This process and all that it starts are told that these calls do not exist."""
    refused = [pack("HBBI", EQUAL, 0, 1, call) + pack("HBBI", RETURN, 0, 0, ENOSYS) for call in calls]
    program = pack("HBBI", LOAD, 0, 0, 0) + b"".join(refused) + pack("HBBI", RETURN, 0, 0, ALLOW)
    buffer = ctypes.create_string_buffer(program, len(program))
    filters = pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    none = ctypes.c_ulong(0)
    for option, value, pointer in ((PR_SET_NO_NEW_PRIVS, 1, none), (PR_SET_SECCOMP, FILTER, filters)):
        if libc.prctl(option, ctypes.c_ulong(value), pointer, none, none) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


if __name__ == "__main__":
    end = sys.argv.index("--")
    take_away([*map(int, sys.argv[1:end])])
    os.execv(sys.argv[end + 1], sys.argv[end + 1 :])
