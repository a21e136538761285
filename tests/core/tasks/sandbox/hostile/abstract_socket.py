"""Connects to an abstract Unix socket, also through a pair of sockets that it may have."""

import socket


def reward(completions, name, **kwargs):
    address = "\0" + name[0]
    for make in (
        lambda: socket.socket(socket.AF_UNIX),
        lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)[0],
        lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)[0],
    ):
        try:
            with make() as one:
                one.connect(address)
                return [1.0] * len(completions)
        except OSError:
            continue
    return [0.0] * len(completions)
