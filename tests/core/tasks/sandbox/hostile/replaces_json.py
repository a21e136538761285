"""Replaces the functions that frames could be made with; its scores come through all the same."""

import json
import os
import struct


def broken(*args, **kwargs):
    raise RuntimeError("broken")


json.dumps = json.loads = json.JSONEncoder.encode = json.JSONDecoder.decode = broken
os.read = os.write = struct.pack = struct.unpack = broken


def reward(completions, **kwargs):
    return [0.5] * len(completions)
