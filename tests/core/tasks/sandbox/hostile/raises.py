"""Raises."""


def reward(completions, **kwargs):
    raise ValueError("no such answer")
