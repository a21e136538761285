"""From a config to a policy, its tokenizer and an attached engine, with progress by phase."""
