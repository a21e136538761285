"""Gives one score too few."""


def reward(completions, **kwargs):
    return [1.0] * (len(completions) - 1)
