"""Starts threads until no more can be had."""

import threading
import time


def reward(completions, **kwargs):
    for _ in range(100_000):
        threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()
    return [1.0] * len(completions)
