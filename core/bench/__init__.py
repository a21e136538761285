"""Measurements of Grouper itself: medians of several runs, taking turns with what is compared.

`grouper bench NAME` runs one.
"""
