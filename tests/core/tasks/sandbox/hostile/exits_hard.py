"""Ends its process."""

import os


def reward(completions, **kwargs):
    os._exit(3)
