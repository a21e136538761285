"""From a config to a policy, its tokenizer and an attached engine, with progress by phase.

The front door is `load_policy`.
"""

from core.worker.loading.load import Loaded, load_policy
from core.worker.loading.progress import Progress

__all__ = ["Loaded", "Progress", "load_policy"]
