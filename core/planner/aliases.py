"""The words that `grouper plan` had for settings before a workload took those of a run's config.

Scripts pass them with `--set`, files of measurements hold them, and the sentences of a plan's advice are in them, since
its JSON is read by scripts as well.
"""

from collections.abc import Mapping
from typing import Any

# Old name -> (name, ((old value, value), ...)); values that are not listed stay as they are.
ALIASES: Mapping[str, tuple[str, tuple[tuple[Any, Any], ...]]] = {
    "optim": ("optim", (("adamw", "adamw_torch"),)),
    "fast_inference": ("fast_inference", ((True, "on"), (False, "off"))),
    "adapter_sync": ("adapter_sync", (("lora", "slot"),)),
    "kv_asleep_in_update": ("sleep_kv_cache", ()),
}


def current(name: str, value: Any) -> tuple[str, Any]:
    """A setting as a workload has it, from its old or its present words."""
    present, values = ALIASES.get(name, (name, ()))
    return present, next((new for old, new in values if _same(old, value)), value)


def former(name: str, value: Any) -> tuple[str, Any]:
    """A setting of a workload in the command's old words."""
    for earlier, (present, values) in ALIASES.items():
        if present == name:
            return earlier, next((old for old, new in values if _same(new, value)), value)
    return name, value


def _same(one: Any, other: Any) -> bool:
    """Equal and of one type: 1 is not True."""
    return type(one) is type(other) and bool(one == other)
