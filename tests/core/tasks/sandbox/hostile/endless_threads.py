"""Leaves threads behind that never end."""

import threading
import time


def forever():
    while True:
        time.sleep(0.01)


def reward(completions, **kwargs):
    for _ in range(4):
        threading.Thread(target=forever).start()
    return [0.5] * len(completions)
