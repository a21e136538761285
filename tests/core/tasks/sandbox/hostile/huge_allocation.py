"""Takes 100 GB of memory."""


def reward(completions, **kwargs):
    return [float(len(bytearray(100 << 30)))] * len(completions)
