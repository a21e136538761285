"""Leaves files in places that are not its own."""

import os
from pathlib import Path


def reward(completions, outside, **kwargs):
    places = (*outside, "/tmp", "/var/tmp", "/dev/shm", os.path.expanduser("~"), "/")
    written = 0
    for place in places:
        path = Path(place, f"grouper-hostile-{os.getpid()}")
        try:
            path.write_text("here")
            path.unlink()
            written += 1
        except OSError:
            continue
    return [float(written)] * len(completions)
