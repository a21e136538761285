"""The planner applied to a config on this machine.

What a config's names stand for, its plan, what makes it fit, what to start from, what earlier runs here teach it.
"""
