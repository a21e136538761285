"""Says that it does not apply."""


def reward(completions, **kwargs):
    return [None] * len(completions)
