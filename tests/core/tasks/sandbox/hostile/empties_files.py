"""Empties files without writing to them: opened for reading, and through calls that change a length."""

import ctypes
import os
import struct

AT_FDCWD, OPENAT2 = -100, 437


def reward(completions, canary, readable, **kwargs):
    done = sum(emptied(path) for path in (canary[0], readable[0], __file__))
    return [float(done)] * len(completions)


def emptied(path):
    """How many ways were open."""
    libc, done = ctypes.CDLL(None), 0
    how = struct.pack("QQQ", os.O_RDONLY | os.O_TRUNC, 0, 0)
    attempts = (
        lambda: os.open(path, os.O_RDONLY | os.O_TRUNC),
        lambda: os.open(path, os.O_ACCMODE | os.O_TRUNC),
        lambda: os.open(path, os.O_WRONLY | os.O_TRUNC),
        lambda: os.truncate(path, 0),
        lambda: os.ftruncate(os.open(path, os.O_RDONLY), 0),
        lambda: not_negative(libc.syscall(OPENAT2, AT_FDCWD, path.encode(), how, len(how))),
        lambda: not_negative(libc.creat(path.encode(), 0o644)),
    )
    for attempt in attempts:
        try:
            attempt()
            done += 1
        except OSError:
            continue
    return done


def not_negative(answer):
    if answer < 0:
        raise OSError
