"""What a run does with memory, in the planner's terms: from a config, or from loose values."""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from core import planner
from core.catalogue import GpuProfile
from core.config import RunConfig
from core.errors import InvalidInput
from core.installation import stack_report
from core.planner.aliases import current
from core.units import GIB

SETTINGS = tuple(field.name for field in fields(planner.Workload))


def workload_of(config: RunConfig, gpu: GpuProfile) -> planner.Workload:
    """What this config makes a run do, with the choices that the worker makes by itself on this GPU.

    Raises InvalidInput for what cannot be planned.
    """
    on_cpu = gpu.kind == "cpu"
    wants_engine = config.fast_inference != "off"
    alike = {name: getattr(config, name) for name in SETTINGS if name in RunConfig.model_fields}
    chosen = {
        "fast_inference": "on" if wants_engine and stack_report().engine != "transformers" else "off",
        # Left to itself a GPU's engine takes the adapter in its slot, a CPU's merged into its weights.
        "adapter_sync": ("merged" if on_cpu else "slot") if config.adapter_sync == "auto" else config.adapter_sync,
        "max_lora_rank": config.engine_rank if wants_engine else None,
        "kv_cache_bytes": config.kv_cache_gib * GIB if on_cpu else None,
    }
    return planner.Workload(**{**alike, **chosen, **workers_way(gpu)})


def workers_way(gpu: GpuProfile) -> dict[str, Any]:
    """How the worker goes about the update on this GPU, in the planner's words."""
    # A GPU attends to groups end to end, a CPU to blocks of them, padded and masked.
    return {"head": "frozen", "packed": True, "padded": gpu.kind == "cpu"}


def as_trained(geometry: planner.Geometry, workload: planner.Workload) -> planner.Workload:
    """The workload as the worker will follow it: sequences longer than an attention window are padded, not packed."""
    window = geometry.sliding_window
    packs = window is None or workload.sequence_tokens <= window
    return workload if packs or not workload.packed else replace(workload, packed=False, padded=True)


def make_workload(values: Mapping[str, Any]) -> planner.Workload:
    """A planner workload from loose values, in the words of now or of before (`core.planner.aliases`).

    Raises InvalidInput naming a setting that does not exist or cannot be.
    """
    taken: dict[str, Any] = {}
    for given, value in values.items():
        name, meant = current(given, tuple(value) if isinstance(value, list) else value)
        if name not in SETTINGS:
            known = ", ".join(SETTINGS)
            raise InvalidInput(given, value, "a setting the planner does not have", f"use one of {known}")
        taken[name] = meant
    return planner.Workload(**taken)
