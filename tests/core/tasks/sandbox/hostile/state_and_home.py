"""Looks into the folders of the dashboard's state, of the project and of the user."""

import os


def reward(completions, folders, **kwargs):
    return [float(sum(map(seen, folders[0])))] * len(completions)


def seen(folder):
    """How many ways were open."""
    ways = 0
    for attempt in (
        lambda: os.listdir(folder),
        lambda: os.open(folder, os.O_RDONLY),
        lambda: os.open(f"{folder}/secret.txt", os.O_RDONLY),
    ):
        try:
            attempt()
            ways += 1
        except OSError:
            continue
    return ways
