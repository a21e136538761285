"""Connects to a server on this machine."""

import socket


def reward(completions, port, **kwargs):
    try:
        with socket.create_connection(("127.0.0.1", port[0]), timeout=1):
            return [1.0] * len(completions)
    except OSError:
        return [0.0] * len(completions)
