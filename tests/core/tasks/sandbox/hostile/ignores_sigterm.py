"""Ignores every signal that can be ignored, and never comes back."""

import signal
import time


def reward(completions, **kwargs):
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)
    while True:
        time.sleep(1)
