"""Starts a process while it is imported."""

import os
import time

try:
    child = os.fork()
    if child == 0:
        time.sleep(3600)
    started = True
except OSError:
    started = False


def reward(completions, **kwargs):
    return [float(started)] * len(completions)
