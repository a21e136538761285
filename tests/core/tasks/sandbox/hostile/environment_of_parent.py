"""Looks into the environment of the process that started it, and of every other that it can see."""

import os
from pathlib import Path


def reward(completions, **kwargs):
    try:
        others = [name for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]
    except OSError:
        others = []
    read = 0
    for name in {str(os.getppid()), *others}:
        try:
            read += bool(Path(f"/proc/{name}/environ").read_bytes())
        except OSError:
            continue
    return [float(read > 0)] * len(completions)
