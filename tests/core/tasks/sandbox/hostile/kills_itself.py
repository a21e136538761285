"""Ends its process by a signal."""

import os
import signal


def reward(completions, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)
