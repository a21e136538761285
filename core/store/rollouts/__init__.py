"""Groups and completions: recorded in one transaction a step, put together again, commented, compared, scanned anew."""
