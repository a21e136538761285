"""The planner applied to a config on this machine.

Its plan, what makes it fit, what to start from, what earlier runs here teach it.
"""
