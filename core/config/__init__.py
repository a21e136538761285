"""A run's settings: one frozen, closed value, and how stored ones of every version are read.

Imports the errors alone.
"""

from core.config.run_config import RunConfig, make_config

__all__ = ["RunConfig", "make_config"]
