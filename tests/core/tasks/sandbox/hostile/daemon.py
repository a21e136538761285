"""A process that leaves its session and its parent, so as to outlive both."""

import os
import time


def reward(completions, **kwargs):
    try:
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                time.sleep(3600)
            os._exit(0)
        return [1.0] * len(completions)
    except OSError:
        return [0.0] * len(completions)
