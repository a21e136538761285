"""Connects to a Unix socket that is a file, as those of container engines are."""

import socket


def reward(completions, socket_file, **kwargs):
    try:
        with socket.socket(socket.AF_UNIX) as one:
            one.connect(socket_file[0])
            return [1.0] * len(completions)
    except OSError:
        return [0.0] * len(completions)
