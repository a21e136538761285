"""What to change in a config whose plan does not fit, in the config's own fields."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core import budget
from core.catalogue import load_catalogue
from core.config import RunConfig
from core.errors import InvalidInput
from core.jobs.planning import geometry_of, preview, setting_of
from core.settings import Settings
from core.units import GIB, gib

# The planner knows more levers than a run has; these are the ones a user can pull.
LEVERS = (
    "gradient_checkpointing",
    "gpu_memory_utilization",
    "kv_cache_bytes",
    "per_device_train_batch_size",
    "optim",
    "rank",
    "quantization",
    "completion_tokens",
    "group_size",
    "fast_inference",
)


@dataclass(frozen=True)
class Remedy:
    """Config fields to set so that the run fits, and the sentence that says so."""

    overrides: Mapping[str, Any]
    sentence: str


def remedies(settings: Settings, config: RunConfig) -> tuple[Remedy, ...]:
    """The smallest changes that make this config fit, each with its new peak; empty when nothing helps."""
    setting, gpu = setting_of(config), load_catalogue().gpu(config.gpu)
    changes = budget.advice(geometry_of(settings, config.model), gpu, setting, LEVERS)
    return tuple(_remedy(change) for change in changes)


def refuse_unless_fits(settings: Settings, config: RunConfig) -> None:
    """Raises InvalidInput with the numbers and the nearest remedy when the plan does not fit."""
    planned = preview(settings, config)
    if planned.fits:
        return
    found = remedies(settings, config)
    helps = found[0].sentence if found else "choose a smaller model or a GPU with more memory"
    problem = f"where this run is planned not to fit ({planned.sentence.rstrip('.')})"
    raise InvalidInput("gpu", config.gpu, problem, f"{helps}; or launch anyway with insist")


def _remedy(change: budget.Change) -> Remedy:
    overrides = dict(_in_config(name, value) for name, value in change.fields if name != "max_lora_rank")
    parts = [f"{name} to {value}" for name, value in overrides.items()]
    what = " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
    peak = f"{gib(change.peak_bytes)} of {gib(change.capacity_bytes)}"
    return Remedy(overrides, f"set {what}: the peak becomes {peak}")


def _in_config(name: str, value: Any) -> tuple[str, Any]:
    if name == "kv_cache_bytes":
        return "kv_cache_gib", max(1, value // GIB)
    if name == "fast_inference":
        return name, "off"
    return name, value
