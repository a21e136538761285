"""Needs what is not there."""

import nothing_that_is_installed


def reward(completions, **kwargs):
    return nothing_that_is_installed.score(completions)
