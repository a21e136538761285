"""Reward functions, a file a subject: pure, one completion at a time, from its text and the recipe's fields to a score.

A function returns a float in the range its docstring gives, or None for "cannot be scored". It may raise: the worker
then stores the completion as unscored together with the error, and never as zero.
"""
