"""Raises what is no ordinary error."""


def reward(completions, **kwargs):
    raise KeyboardInterrupt
