"""TRL's GRPO trainer with this project's engine, forward pass and records.

`arguments` is the one place where our field names become TRL's. `packing`, `head` and `forward` need torch alone.
"""
