"""Calls itself without end where Python does not count."""

import sys


class Recursion:
    def __repr__(self):
        return repr(self)


def reward(completions, **kwargs):
    sys.setrecursionlimit(10**9)
    return [float(len(repr(Recursion())))] * len(completions)
