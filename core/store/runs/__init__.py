"""Runs: their rows, their moves, lists of them, their steps, and what people add.

Knows nothing of completions' contents.
"""
