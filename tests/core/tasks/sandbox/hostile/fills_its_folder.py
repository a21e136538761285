"""Writes until nothing fits any more, into its own folder and beside its file."""

import os


def reward(completions, **kwargs):
    written = 0
    for folder in (os.getcwd(), os.path.dirname(__file__)):
        for number in range(3):
            try:
                with open(os.path.join(folder, f"filler-{number}"), "wb") as file:
                    written += file.write(bytes(1 << 20))
            except OSError:
                continue
    return [float(written > 0)] * len(completions)
