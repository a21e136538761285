"""Base models as files: where they are, what they say, their tokens.

Loads no weights and imports no training library.
"""
