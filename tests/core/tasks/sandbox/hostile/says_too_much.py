"""Logs more than an answer may hold."""


def reward(completions, log_extra, **kwargs):
    for column in range(2000):
        log_extra(f"column {column}", ["x" * 10_000] * len(completions))
    return [1.0] * len(completions)
