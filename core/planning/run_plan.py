"""Memory plans: a config, or loose settings, and a model's geometry translated for the planner."""

import json
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from core import planner
from core.catalogue import load_catalogue
from core.config import RunConfig
from core.errors import InvalidInput
from core.installation import stack_report
from core.models.locate import locate, read_config
from core.planner.calibration import calibrated
from core.planning.calibration import calibration
from core.settings import Settings
from core.units import GIB


def preview(settings: Settings, config: RunConfig) -> planner.MemoryPlan:
    """Where the memory of a run with this config will go, as far as this machine's own runs can tell.

    Raises InvalidInput for an unknown model or GPU.
    """
    planned = plan_workload(settings, config.model, config.gpu, workload_of(config))
    return calibrated(planned, calibration(settings, config.gpu))


def plan_workload(settings: Settings, model: str, gpu: str, workload: planner.Workload) -> planner.MemoryPlan:
    """The plan of a workload for a model and GPU by name."""
    known = load_catalogue().model(model)
    geometry, profile = geometry_of(settings, model), load_catalogue().gpu(gpu)
    return planner.plan(geometry, profile, as_trained(geometry, workload), known.alias if known else model)


def as_trained(geometry: planner.Geometry, workload: planner.Workload) -> planner.Workload:
    """The workload as the worker will follow it: sequences longer than an attention window are padded, not packed."""
    window = geometry.sliding_window
    packs = window is None or workload.sequence_tokens <= window
    return workload if packs or not workload.packed else replace(workload, packed=False, padded=True)


def geometry_of(settings: Settings, model: str) -> planner.Geometry:
    """The shape of a model by name. Raises InvalidInput when it cannot be found or is not understood."""
    return planner.geometry_from_config(read_config(locate(model, load_catalogue(), settings.models)), model)


def make_workload(values: Mapping[str, Any]) -> planner.Workload:
    """A planner workload from loose values; InvalidInput names one that does not exist."""
    known = [field.name for field in fields(planner.Workload)]
    for name, value in values.items():
        if name not in known:
            raise InvalidInput(name, value, "a setting the planner does not have", f"use one of {', '.join(known)}")
    taken: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    return planner.Workload(**taken)


def check_measurements(path: Path) -> dict[str, Any]:
    """The planner against the published measurements in a file of the form {"rows": [...]}.

    Raises InvalidInput when the file cannot be read as such.
    """
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["rows"]
    except (OSError, ValueError, KeyError, TypeError):
        raise InvalidInput("--check", str(path), "which is no file of measurements", 'give it "rows"') from None
    return planner.compare_published(rows, load_catalogue())


def workers_way(gpu: str) -> dict[str, Any]:
    """How the worker goes about the update, in the planner's words."""
    # A GPU attends to groups end to end, a CPU to blocks of them, padded and masked.
    return {"head": "frozen", "packed": True, "padded": load_catalogue().gpu(gpu).kind == "cpu"}


def workload_of(config: RunConfig) -> planner.Workload:
    """A config in the planner's words, with the choices that the worker makes by itself here."""
    on_cpu = load_catalogue().gpu(config.gpu).kind == "cpu"
    # Left to itself a GPU's engine takes the adapter in its slot, a CPU's merged into its weights.
    merged = ("merged", "auto") if on_cpu else ("merged",)
    return planner.Workload(
        rank=config.rank,
        target_modules=config.target_modules,
        quantization=config.quantization,
        optim="adamw_8bit" if config.optim == "adamw_8bit" else "adamw",
        gradient_checkpointing=config.gradient_checkpointing,
        **workers_way(config.gpu),
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
