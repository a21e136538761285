"""What a run does with memory, in the planner's terms: from a config, or from loose values."""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from core import planner
from core.catalogue import GpuProfile
from core.config import RunConfig
from core.errors import InvalidInput
from core.installation import stack_report
from core.units import GIB


def workload_of(config: RunConfig, gpu: GpuProfile) -> planner.Workload:
    """A config in the planner's words, with the choices that the worker makes by itself on this GPU."""
    on_cpu = gpu.kind == "cpu"
    # Left to itself a GPU's engine takes the adapter in its slot, a CPU's merged into its weights.
    merged = ("merged", "auto") if on_cpu else ("merged",)
    return planner.Workload(
        rank=config.rank,
        target_modules=config.target_modules,
        quantization=config.quantization,
        optim="adamw_8bit" if config.optim == "adamw_8bit" else "adamw",
        gradient_checkpointing=config.gradient_checkpointing,
        **workers_way(gpu),
        fast_inference=config.fast_inference != "off" and stack_report().engine != "transformers",
        adapter_sync="merged" if config.adapter_sync in merged else "lora",
        max_lora_rank=config.engine_rank if config.fast_inference != "off" else None,
        share_weights=config.share_weights,
        kv_asleep_in_update=config.sleep_kv_cache,
        gpu_memory_utilization=config.gpu_memory_utilization,
        kv_cache_bytes=config.kv_cache_gib * GIB if on_cpu else None,
        prompts_per_step=config.prompts_per_step,
        group_size=config.group_size,
        prompt_tokens=config.prompt_tokens,
        completion_tokens=config.completion_tokens,
        per_device_train_batch_size=config.per_device_train_batch_size,
    )


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
    """A planner workload from loose values; InvalidInput names one that does not exist."""
    known = [field.name for field in fields(planner.Workload)]
    for name, value in values.items():
        if name not in known:
            raise InvalidInput(name, value, "a setting the planner does not have", f"use one of {', '.join(known)}")
    taken: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    return planner.Workload(**taken)
