"""Starts a shell."""

import os
import subprocess


def reward(completions, outside, **kwargs):
    try:
        subprocess.run(["/bin/sh", "-c", f"echo hello > {outside}/shell"], timeout=5)
        return [1.0] * len(completions)
    except OSError:
        pass
    try:
        os.posix_spawn("/bin/true", ["true"], {})
        return [1.0] * len(completions)
    except OSError:
        return [0.0] * len(completions)
