"""What to change when a setting does not fit.

Every lever below is pulled by itself, from the most harmless for the run to the least, and only as far as it takes to
fit. The first three that succeed are the advice. Where no single lever is enough, pairs and then triples are tried.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

from core.budget.geometry import Geometry
from core.budget.plan import Plan, plan
from core.budget.setting import Setting
from core.catalogue import GpuProfile
from core.errors import InvalidInput
from core.units import GIB, gib

Values = dict[str, Any]
WANTED = 3
# From "nobody will notice" over "slower" to "another experiment".
LEVERS = (
    "kv_asleep_in_update",
    "head",
    "gradient_checkpointing",
    "gpu_memory_utilization",
    "kv_cache_bytes",
    "per_device_train_batch_size",
    "packed",
    "share_weights",
    "optim",
    "adapter_dtype",
    "rank",
    "quantization",
    "completion_tokens",
    "group_size",
    "fast_inference",
)


@dataclass(frozen=True)
class Change:
    """A way to make a setting fit: the fields to set, the setting that results, and its peak."""

    fields: tuple[tuple[str, Any], ...]
    setting: Setting
    peak_bytes: int
    capacity_bytes: int

    @property
    def sentence(self) -> str:
        """ "Set per_device_train_batch_size to 8: the peak becomes 21.3 GiB of 24.0 GiB"."""
        what = " and ".join(f"{name} to {_shown(name, value)}" for name, value in self.fields)
        return f"Set {what}: the peak becomes {gib(self.peak_bytes)} of {gib(self.capacity_bytes)}"


def advice(geometry: Geometry, gpu: GpuProfile, setting: Setting) -> tuple[Change, ...]:
    """The three smallest changes that make the setting fit, each with its new peak; empty when nothing helps."""
    steps = {lever: list(_steps(lever, gpu, setting)) for lever in LEVERS}
    useful = [lever for lever in LEVERS if steps[lever]]
    found: list[Change] = []
    for size in (1, 2, 3):
        for levers in combinations(useful, size):
            change = _pull(geometry, gpu, setting, [steps[lever] for lever in levers])
            if change is not None:
                found.append(change)
            if len(found) == WANTED:
                return tuple(found)
        if found:
            break
    return tuple(found)


def _pull(geometry: Geometry, gpu: GpuProfile, setting: Setting, levers: list[list[Values]]) -> Change | None:
    """The mildest step of the last lever that fits, with the others pulled fully; None when even all the way fails."""
    fixed: Values = {}
    for steps in levers[:-1]:
        fixed |= steps[-1]
    if _attempt(geometry, gpu, setting, fixed | levers[-1][-1]) is None and len(levers) > 1:
        return None
    for step in levers[-1]:
        values = fixed | step
        tried = _attempt(geometry, gpu, setting, values)
        if tried is not None:
            named = tuple((name, value) for name, value in values.items() if getattr(setting, name) != value)
            return Change(named, tried.setting, tried.peak_bytes, tried.capacity_bytes)
    return None


def _attempt(geometry: Geometry, gpu: GpuProfile, setting: Setting, values: Values) -> Plan | None:
    try:
        tried = plan(geometry, gpu, replace(setting, **values))
    except InvalidInput:  # levers can contradict each other, and what remains is no advice
        return None
    return tried if tried.fits else None


def _steps(lever: str, gpu: GpuProfile, setting: Setting) -> Iterator[Values]:
    """Ever stronger values of one lever; none where it is already pulled or has no meaning here."""
    value, on_gpu, engine = getattr(setting, lever), gpu.kind != "cpu", setting.fast_inference
    if lever == "kv_asleep_in_update" and on_gpu and engine and not value:
        yield {lever: True}
    elif lever == "head" and value == "plain":
        yield {lever: "fused" if on_gpu else "chunked"}
    elif (lever == "gradient_checkpointing" and not value) or (lever == "packed" and not value):
        yield {lever: True}
    elif lever == "gpu_memory_utilization" and on_gpu and engine and setting.kv_cache_bytes is None:
        yield from ({lever: share / 20} for share in _outwards(round(value * 20)))
    elif lever == "kv_cache_bytes" and engine and (value or 0) > GIB:
        yield from ({lever: size * GIB} for size in range((value - 1) // GIB, 0, -1))
    elif lever == "per_device_train_batch_size":
        yield from ({lever: groups * setting.group_size} for groups in _fewer_groups(setting))
    elif lever == "share_weights" and on_gpu and engine and not value:
        yield {lever: True, "adapter_sync": "lora", "engine_dtype": "nf4" if setting.quantization == "nf4" else "bf16"}
    elif lever == "optim" and value == "adamw":
        yield {lever: "adamw_8bit"}
    elif lever == "adapter_dtype" and value == "fp32":
        yield {lever: "bf16"}
    elif lever == "rank":
        yield from ({lever: rank, "max_lora_rank": None} for rank in (128, 64, 32, 16, 8) if rank < value)
    elif lever == "quantization" and value == "none":
        yield {lever: "nf4", "engine_dtype": "nf4" if setting.share_weights else setting.engine_dtype}
    elif lever == "completion_tokens":
        yield from ({lever: tokens} for tokens in _powers_below(value, 64))
    elif lever == "group_size":
        groups = setting.micro_batch // setting.group_size
        yield from ({lever: size, "per_device_train_batch_size": groups * size} for size in _powers_below(value, 2))
    elif lever == "fast_inference" and value:
        yield {lever: False, "share_weights": False}


def _outwards(share: int) -> Iterable[int]:
    """Shares in twentieths, lower first, then higher: a smaller engine frees memory, a larger one gets a KV cache."""
    return (*range(share - 1, 1, -1), *range(share + 1, 20))


def _fewer_groups(setting: Setting) -> list[int]:
    """Whole groups in a micro-batch, fewer than now, that split the step evenly."""
    now, prompts = setting.micro_batch // setting.group_size, setting.prompts_per_step
    return [groups for groups in range(now - 1, 0, -1) if prompts % groups == 0]


def _powers_below(value: int, least: int) -> list[int]:
    """Powers of two below `value`, down to `least`."""
    return [2**n for n in range((value - 1).bit_length() - 1, 0, -1) if least <= 2**n < value]


def _shown(name: str, value: Any) -> str:
    if name == "kv_cache_bytes":
        return gib(value)
    return str(value).lower() if isinstance(value, bool) else str(value)
