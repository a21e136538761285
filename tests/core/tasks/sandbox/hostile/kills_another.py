"""Ends another process."""

import os
import signal


def reward(completions, victim, **kwargs):
    killed = 0
    for pid in (victim[0], -1 * victim[0]):
        try:
            os.kill(pid, signal.SIGKILL)
            killed += 1
        except OSError:
            continue
    return [float(killed)] * len(completions)
