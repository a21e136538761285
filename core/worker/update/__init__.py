"""The policy's forward pass over sampled groups: packed, attended to, scored. Needs torch alone."""
