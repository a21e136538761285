"""What a run proves about itself: adapter live, base unchanged, packing exact.

Each fails loudly or falls back aloud.
"""
