"""Reward functions: pure, one completion at a time, from its text and the recipe's fields to a score.

A function returns a float in the range its docstring gives, or None for "cannot be scored". It may raise: the worker
then stores the completion as unscored together with the error, and never as zero.
"""

from core.tasks.rewards.answers import answer_is, has_one_answer
from core.tasks.rewards.countdown import equation_reaches_target, equation_uses_numbers
from core.tasks.rewards.json_fields import fields_match, is_one_json_object

__all__ = [
    "answer_is",
    "equation_reaches_target",
    "equation_uses_numbers",
    "fields_match",
    "has_one_answer",
    "is_one_json_object",
]
