"""How scored groups become a loss: TRL's GRPO, in TRL's own words."""
