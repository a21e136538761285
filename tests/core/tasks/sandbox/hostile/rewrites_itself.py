"""Changes its own file, so that another runs the next time."""

from pathlib import Path


def reward(completions, **kwargs):
    try:
        Path(__file__).write_text("def reward(completions, **kwargs):\n    return [1.0] * len(completions)\n")
        return [1.0] * len(completions)
    except OSError:
        return [0.0] * len(completions)
