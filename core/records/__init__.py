"""Frozen values that leave the store: runs, steps, rollouts, evaluations, and the moves between a run's statuses.

No behaviour beyond that.
"""
