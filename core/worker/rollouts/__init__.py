"""From prompts to scored groups: examples, rewards, evaluation, and the step put together from them.

What raises is noted, never zero.
"""
