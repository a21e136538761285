"""What can be trained on: data, prompt and rewards.

Pure: the same seed gives the same examples, the same text the same scores.
"""
