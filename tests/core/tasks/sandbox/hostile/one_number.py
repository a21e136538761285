"""Gives one number for all."""


def reward(completions, **kwargs):
    return 1.0
