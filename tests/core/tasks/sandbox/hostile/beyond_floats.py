"""Gives whole numbers that no float can hold."""


def reward(completions, **kwargs):
    return [10**400] * len(completions)
