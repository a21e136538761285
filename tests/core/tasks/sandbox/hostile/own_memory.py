"""Writes into its own memory, and another's, as into a file."""

import os


def reward(completions, victim, **kwargs):
    opened = 0
    for name in ("self", str(os.getpid()), str(victim[0]), str(os.getppid())):
        try:
            with open(f"/proc/{name}/mem", "r+b"):
                opened += 1
        except OSError:
            continue
    return [float(opened)] * len(completions)
