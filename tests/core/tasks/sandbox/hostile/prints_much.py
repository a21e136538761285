"""Prints 64 MB, and something to the point first."""

import sys


def reward(completions, **kwargs):
    sys.stdout.write("to the point\n")
    for _ in range(64):
        sys.stdout.write("x" * (1 << 20))
    sys.stdout.flush()
    return [0.5] * len(completions)
