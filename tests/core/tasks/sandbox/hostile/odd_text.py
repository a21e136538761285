"""Speaks in escapes of a terminal, marks that turn text around and null bytes."""

import sys


def reward(completions, **kwargs):
    sys.stdout.write("\x1b]0;owned\x07\x1b[2J\x1b[31mall is well\x00")
    raise ValueError("\x1b[31mred\x1b[0m \u202eecalp rehtona\u202c\r\n\x00" + "x" * 100_000)
