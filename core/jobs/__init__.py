"""The web side of a job: checking it, queueing it, starting its worker, noticing that a worker died.

Meets the worker only in the store and on the command line.
"""
