"""Raises an error that cannot be put into words."""


class Silent(Exception):
    def __str__(self):
        raise RuntimeError


def reward(completions, **kwargs):
    raise Silent
