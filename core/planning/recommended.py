"""Settings to start from on a device, each with its reason, and how an estimate is made."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

from core import planner
from core.catalogue import Catalogue
from core.config import RunConfig
from core.planning.remedies import remedies
from core.planning.resolved_run import ResolvedRun
from core.planning.run_plan import preview
from core.planning.workload import make_workload
from core.settings import Settings
from core.units import GIB, gib

OF_THE_TASK = "completion_tokens"  # a device may allow more than the task wants
EXAMPLE_MODEL, EXAMPLE_GPU, EXAMPLE_SHARE = "llama-2-7b", "rtx-4090", 0.5


@dataclass(frozen=True)
class BestSettings:
    """Config fields to set for a device, and for each the reason. `fits` is False where nothing known fits."""

    overrides: Mapping[str, Any]
    reasons: Mapping[str, str]
    fits: bool


def best_settings(settings: Settings, run: ResolvedRun) -> BestSettings:
    """What this device can do best for the run's model and task. What belongs to the task is left as it is.

    A run holds the base weights twice, the engine's and the trainer's, so that is what is planned for.
    """
    advised = planner.recommend(run.geometry, run.gpu, share_weights=False)
    found = {choice.field: (choice.value, choice.reason) for choice in advised.choices if choice.field != OF_THE_TASK}
    found |= _made_here(run.config, advised, run.gpu.kind == "cpu")
    values = {name: value for name, (value, _) in found.items()}
    reasons = {name: reason for name, (_, reason) in found.items()}
    tried = run.changed({"max_lora_rank": None, **values})
    if preview(settings, tried).fits:
        return BestSettings(values, reasons, True)
    for remedy in remedies(tried):
        changed = {name: f"without it the plan does not fit: {remedy.sentence}" for name in remedy.overrides}
        return BestSettings({**values, **remedy.overrides}, {**reasons, **changed}, True)
    return BestSettings(values, reasons, False)


@functools.cache
def fitting_models(catalogue: Catalogue, gpu: str) -> Mapping[str, str]:
    """Alias -> whether this device can train it with the settings that need least: "fits", "fits in 4 bits" or
    "does not fit". Plans every model of the catalogue once for a device. Raises NotFound for an unknown one.
    """
    profile = catalogue.gpu(gpu)
    found: dict[str, str] = {}
    for model in catalogue.models:
        shape = planner.geometry_from_config(dict(model.geometry), model.alias)
        advised = planner.recommend(shape, profile, share_weights=False)
        fits = "fits" if advised.workload.quantization == "none" else "fits in 4 bits"
        found[model.alias] = fits if advised.plan.fits else "does not fit"
    return found


def _made_here(config: RunConfig, advised: planner.Recommendation, on_cpu: bool) -> dict[str, tuple[Any, str]]:
    """What a run's config knows better or counts otherwise than the planner's workload."""
    longest = advised.workload.completion_tokens
    reason = "longer completions do not fit this device"
    if longest >= config.completion_tokens:
        reason = f"what the task wants; up to {longest:,} would fit"
    found: dict[str, tuple[Any, str]] = {OF_THE_TASK: (min(longest, config.completion_tokens), reason)}
    if on_cpu:
        size = max(1, ceil(advised.plan.kv_cache.bytes / GIB))
        found["kv_cache_gib"] = (size, "holds every completion of a step at full length")
    return found


def worked_example(catalogue: Catalogue) -> tuple[str, ...]:
    """The estimate that is often quoted for a 7B model in four bits on 24 GB, held against the planner line by line:
    weights 3.5 GB, training 8 GB, engine 12 GB at a share of 0.5.
    """
    quantized = {"quantization": "nf4", "gpu_memory_utilization": EXAMPLE_SHARE, "prompts_per_step": 1, "rank": 64}
    four_bit = {**quantized, "engine_dtype": "nf4", "share_weights": True}
    separate = {**quantized, "engine_dtype": "bf16", "adapter_sync": "merged", "packed": True}
    shared, twice = (_example(catalogue, EXAMPLE_MODEL, values) for values in (four_bit, separate))
    large = _example(catalogue, "qwen2.5-7b", four_bit)
    update = {line.name: line.bytes for line in shared.phases[-1].lines}
    training = sum(update[name] for name in ("base weights", "adapter", "gradients", "optimizer states", "activations"))
    engine = round(EXAMPLE_SHARE * shared.capacity_bytes)
    weights_twice = next(line.bytes for line in twice.phases[0].lines if line.name == "engine weights")
    large_weights = next(line.bytes for line in large.phases[0].lines if line.name == "base weights")
    return (
        f"Weights 3.5 GB: right for a vocabulary of 32,000 tokens ({gib(update['base weights'])} with the scales); "
        f"Qwen2.5 7B takes {gib(large_weights)}, because embeddings stay in 16 bits.",
        "Training 8 GB: about right at rank 64. Weights, adapter, gradients, AdamW states and activations of one "
        f"group come to {gib(training)}.",
        f"Engine 12 GB at 0.5: right as a share ({gib(engine)} of {gib(shared.capacity_bytes)}), but the engine's own "
        f"weights are inside it. With four-bit weights shared by trainer and engine {gib(shared.kv_cache.bytes)} are "
        f"left for the KV cache; a 16-bit engine needs {gib(weights_twice)} for its weights, and nothing is left.",
    )


def _example(catalogue: Catalogue, alias: str, values: Mapping[str, Any]) -> planner.MemoryPlan:
    geometry = planner.geometry_from_config(dict(catalogue.find_model(alias).geometry), alias)
    return planner.plan(geometry, catalogue.gpu(EXAMPLE_GPU), make_workload(values), alias)
