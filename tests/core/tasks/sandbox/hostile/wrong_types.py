"""Gives what is no number: text, a list."""


def reward(completions, **kwargs):
    return ["1.0", [1.0]][: len(completions)]
