"""Gives no number and one without end."""


def reward(completions, **kwargs):
    return [float("nan"), float("-inf")][: len(completions)]
