"""What to change in a config whose plan does not fit, in the config's own fields."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from core import planner
from core.errors import InvalidInput
from core.planning.resolved_run import ResolvedRun, resolve
from core.planning.run_plan import preview
from core.records.run import Run
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


# A run that memory ended needed more than its plan said; by how much nobody can tell afterwards.
SHORT_BY, MOST_WAYS = 0.1, 3


@dataclass(frozen=True)
class Remedy:
    """Config fields to set so that the run fits, and the sentence that says so."""

    overrides: Mapping[str, Any]
    sentence: str


def remedies(run: ResolvedRun) -> tuple[Remedy, ...]:
    """The smallest changes that make this run fit, each with its new peak; empty when nothing helps."""
    return tuple(_remedy(change) for change in planner.advice(run.geometry, run.gpu, run.workload, LEVERS))


def ways_out(settings: Settings, run: Run) -> tuple[Remedy, ...]:
    """Changes for a run that memory ended although its plan fitted: single ones that need a tenth less, mild first."""
    found: list[Remedy] = []
    try:
        resolved = resolve(settings, run.config)
        before = preview(settings, resolved).peak_bytes
        for overrides in _smaller(resolved):
            peak = preview(settings, resolved.changed(overrides)).peak_bytes
            if peak <= before * (1 - SHORT_BY):
                sentence = f"{_said(overrides)}: the peak becomes {gib(peak)} instead of {gib(before)}"
                found.append(Remedy(overrides, sentence))
    except InvalidInput:  # the model's folder may be gone, or the recipe
        return ()
    return tuple(found[:MOST_WAYS])


def _smaller(run: ResolvedRun) -> Iterator[dict[str, Any]]:
    """Single changes that need less memory, the most harmless first."""
    config, on_cpu, group = run.config, run.gpu.kind == "cpu", run.config.group_size
    if not config.gradient_checkpointing:
        yield {"gradient_checkpointing": True}
    if config.micro_batch > group:
        sizes = [size for size in range(group, config.micro_batch, group) if config.batch_size % size == 0]
        yield from ({"per_device_train_batch_size": size} for size in reversed(sizes))
    if on_cpu and config.kv_cache_gib > 1:
        yield {"kv_cache_gib": config.kv_cache_gib // 2}
    if not on_cpu and config.gpu_memory_utilization > 0.2:
        yield {"gpu_memory_utilization": round(config.gpu_memory_utilization - 0.1, 2)}
    if not on_cpu and config.optim != "adamw_8bit":
        yield {"optim": "adamw_8bit"}
    if config.quantization == "none":
        yield {"quantization": "nf4"}
    yield {"completion_tokens": max(1, config.completion_tokens // 2)}


def refuse_unless_fits(settings: Settings, run: ResolvedRun) -> None:
    """Raises InvalidInput with the numbers and the nearest remedy when the plan does not fit."""
    planned = preview(settings, run)
    if planned.fits:
        return
    found = remedies(run)
    helps = found[0].sentence if found else "choose a smaller model or a GPU with more memory"
    problem = f"where this run is planned not to fit ({planned.sentence.rstrip('.')})"
    raise InvalidInput("gpu", run.config.gpu, problem, f"{helps}; or launch anyway with insist")


def _remedy(change: planner.Change) -> Remedy:
    overrides = dict(_in_config(name, value) for name, value in change.fields if name != "max_lora_rank")
    peak = f"{gib(change.peak_bytes)} of {gib(change.capacity_bytes)}"
    return Remedy(overrides, f"{_said(overrides)}: the peak becomes {peak}")


def _said(overrides: Mapping[str, Any]) -> str:
    """ "set rank to 32 and optim to adamw_8bit"."""
    parts = [
        f"{name} to {str(value).lower() if isinstance(value, bool) else value}" for name, value in overrides.items()
    ]
    return "set " + " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _in_config(name: str, value: Any) -> tuple[str, Any]:
    """A config counts its KV cache in whole GiB, a workload in bytes; all else they call the same."""
    return ("kv_cache_gib", max(1, value // GIB)) if name == "kv_cache_bytes" else (name, value)
