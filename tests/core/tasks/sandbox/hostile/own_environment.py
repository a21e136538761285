"""Looks for a token in its own environment."""

import os


def reward(completions, **kwargs):
    return [float("CANARY" in repr(dict(os.environ)))] * len(completions)
