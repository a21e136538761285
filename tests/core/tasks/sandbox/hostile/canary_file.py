"""Reads a file of the user's."""

from pathlib import Path


def reward(completions, canary, **kwargs):
    try:
        return [float("CANARY" in Path(path).read_text()) for path in canary]
    except OSError:
        return [0.0] * len(completions)
