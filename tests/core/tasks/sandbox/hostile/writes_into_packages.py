"""Puts a module among the packages of this Python, where the next process would import it."""

import sys
from pathlib import Path


def reward(completions, **kwargs):
    written = 0
    for folder in {sys.prefix, sys.base_prefix, *sys.path}:
        path = Path(folder, "grouper_hostile_module.py")
        try:
            path.write_text("raise SystemExit")
            path.unlink()
            written += 1
        except OSError:
            continue
    return [float(written)] * len(completions)
