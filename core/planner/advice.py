"""What to change when a workload does not fit.

Every lever below is pulled by itself, from the most harmless for the run to the least, and only as far as it takes to
fit. Where fewer than three are enough by themselves, pairs and then triples are tried.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from itertools import combinations, starmap
from typing import Any

from core.catalogue import GpuProfile
from core.errors import InvalidInput
from core.planner.aliases import former
from core.planner.engine import non_kv_bytes, step_kv_bytes, visible_bytes
from core.planner.geometry import Geometry
from core.planner.plan import MemoryPlan, plan
from core.planner.workload import Workload
from core.units import GIB, gib

Values = dict[str, Any]
WANTED = 3
GRID = 20  # shares are tried in twentieths
# From "nobody will notice" over "slower" to "another experiment".
LEVERS = (
    "sleep_kv_cache",
    "head",
    "gradient_checkpointing",
    "gpu_memory_utilization",
    "kv_cache_bytes",
    "per_device_train_batch_size",
    "packed",
    "share_weights",
    "engine_dtype",
    "optim",
    "adapter_dtype",
    "rank",
    "quantization",
    "completion_tokens",
    "group_size",
    "fast_inference",
)
LAST_RESORT = "fast_inference"  # sampling without the engine is many times slower


@dataclass(frozen=True)
class Change:
    """A way to make a workload fit: the fields to set, the workload that results, and its peak."""

    fields: tuple[tuple[str, Any], ...]
    workload: Workload
    peak_bytes: int
    capacity_bytes: int

    @property
    def sentence(self) -> str:
        """ "Set rank to 32 and optim to adamw_8bit: the peak becomes 21.3 GiB of 24.0 GiB".

        In the words that the plan command's JSON has always had.
        """
        *first, last = (f"{name} to {_shown(name, value)}" for name, value in starmap(former, self.fields))
        what = f"{', '.join(first)} and {last}" if first else last
        return f"Set {what}: the peak becomes {gib(self.peak_bytes)} of {gib(self.capacity_bytes)}"


def advice(
    geometry: Geometry, gpu: GpuProfile, workload: Workload, levers: Sequence[str] = LEVERS
) -> tuple[Change, ...]:
    """The three smallest changes that make the workload fit, each with its new peak; empty when nothing helps.

    levers   the fields that may be changed, most harmless first
    """
    steps = {lever: list(_steps(lever, geometry, gpu, workload)) for lever in levers}
    useful = [lever for lever in levers if steps[lever]]
    found: dict[tuple[str, ...], Change] = {}
    for stage in _stages(useful):
        for names in stage:
            if any(set(enough) <= set(names) for enough in found):
                continue  # a part of this is enough by itself
            change = _pull(geometry, gpu, workload, [steps[name] for name in names])
            if change is not None:
                found[names] = change
            if len(found) == WANTED:
                return tuple(found.values())
    return tuple(found.values())


NOTHING_HELPS = "No change of the settings makes this fit: choose a smaller model or a GPU with more memory"


def advice_for(planned: MemoryPlan) -> tuple[str, ...]:
    """What to change in a plan's workload, most harmless first; empty when it fits."""
    if planned.fits:
        return ()
    changes = advice(planned.geometry, planned.gpu, planned.workload)
    return tuple(change.sentence for change in changes) or (NOTHING_HELPS,)


def _stages(levers: list[str]) -> Iterator[list[tuple[str, ...]]]:
    """Sets of levers to try, in stages; a later stage only while the earlier ones have not found enough."""
    mild = [lever for lever in levers if lever != LAST_RESORT]
    last = (LAST_RESORT,) * (LAST_RESORT in levers)
    singles, pairs, triples = ([*combinations(mild, size)] for size in (1, 2, 3))
    yield singles + pairs + [last] * bool(last)
    yield triples
    yield [(*names, *last) for names in singles + pairs]


def _pull(geometry: Geometry, gpu: GpuProfile, workload: Workload, levers: list[list[Values]]) -> Change | None:
    """All levers pulled as far as they go, then each eased as far as it still fits; None where that is not enough."""
    pulled = [steps[-1] for steps in levers]
    fitting = _attempt(geometry, gpu, workload, pulled)
    if fitting is None:
        return None
    for which, steps in enumerate(levers):
        for step in steps[:-1]:
            eased = [*pulled[:which], step, *pulled[which + 1 :]]
            tried = _attempt(geometry, gpu, workload, eased)
            if tried is not None:
                pulled, fitting = eased, tried
                break
    names = [f.name for f in fields(Workload) if getattr(fitting.workload, f.name) != getattr(workload, f.name)]
    changed = tuple((name, getattr(fitting.workload, name)) for name in names)
    return Change(changed, fitting.workload, fitting.peak_bytes, fitting.capacity_bytes)


def _attempt(geometry: Geometry, gpu: GpuProfile, workload: Workload, pulled: list[Values]) -> MemoryPlan | None:
    values = {name: value for step in pulled for name, value in step.items()}
    if values.get("share_weights", workload.share_weights):
        values["engine_dtype"] = "nf4" if values.get("quantization", workload.quantization) == "nf4" else "bf16"
    try:
        tried = plan(geometry, gpu, replace(workload, **values))
    except InvalidInput:  # levers can contradict each other, and what remains is no advice
        return None
    return tried if tried.fits else None


def _steps(lever: str, geometry: Geometry, gpu: GpuProfile, workload: Workload) -> Iterator[Values]:
    """Ever stronger values of one lever; none where it is already pulled or has no meaning here."""
    value, on_gpu, engine = getattr(workload, lever), gpu.kind != "cpu", workload.has_engine
    if lever == "sleep_kv_cache" and on_gpu and engine and not value:
        yield {lever: True}
    elif lever == "head" and value == "plain":
        yield {lever: "fused" if on_gpu else "chunked"}
    elif (lever == "gradient_checkpointing" and not value) or (lever == "packed" and not value):
        yield {lever: True}
    elif lever == "gpu_memory_utilization" and on_gpu and engine and workload.kv_cache_bytes is None:
        yield from ({lever: share / GRID} for share in _shares(geometry, gpu, workload))
    elif lever == "kv_cache_bytes" and engine and (value or 0) > GIB:
        yield from ({lever: size * GIB} for size in range((value - 1) // GIB, 0, -1))
    elif lever == "per_device_train_batch_size":
        yield from ({lever: groups * workload.group_size} for groups in _fewer_groups(workload))
    elif lever == "share_weights" and on_gpu and engine and not value:
        yield {lever: True, "adapter_sync": "slot"}
    elif lever == "engine_dtype" and on_gpu and engine and value == "bf16" and not workload.share_weights:
        yield {lever: "fp8"}
    elif lever == "optim" and value == "adamw_torch":
        yield {lever: "adamw_8bit"}
    elif lever == "adapter_dtype" and value == "fp32":
        yield {lever: "bf16"}
    elif lever == "rank":
        yield from ({lever: rank, "max_lora_rank": None} for rank in (128, 64, 32, 16, 8) if rank < value)
    elif lever == "quantization" and value == "none":
        yield {lever: "nf4"}
    elif lever == "completion_tokens":
        yield from ({lever: tokens} for tokens in _powers_below(value, 64))
    elif lever == "group_size":
        groups = workload.micro_batch // workload.group_size
        yield from ({lever: size, "per_device_train_batch_size": groups * size} for size in _powers_below(value, 2))
    elif lever == "fast_inference" and engine:
        yield {lever: "off", "share_weights": False}


def _shares(geometry: Geometry, gpu: GpuProfile, workload: Workload) -> Iterable[int]:
    """Shares in twentieths, down to the least that holds a group of sequences; that one alone where it is above."""
    a_group = replace(workload, max_num_seqs=workload.group_size)
    least = non_kv_bytes(geometry, gpu, workload) + step_kv_bytes(geometry, gpu, a_group)
    floor, now = math.ceil(least / visible_bytes(gpu) * GRID), round(workload.gpu_memory_utilization * GRID)
    if floor >= GRID:
        return ()
    return range(now - 1, floor - 1, -1) if now > floor else (floor,) * (floor > now)


def _fewer_groups(workload: Workload) -> list[int]:
    """Whole groups in a micro-batch, fewer than now, that split the step evenly."""
    now, prompts = workload.micro_batch // workload.group_size, workload.prompts_per_step
    return [groups for groups in range(now - 1, 0, -1) if prompts % groups == 0]


def _powers_below(value: int, least: int) -> list[int]:
    """Powers of two below `value`, down to `least`."""
    return [2**n for n in range((value - 1).bit_length() - 1, 0, -1) if least <= 2**n < value]


def _shown(name: str, value: Any) -> str:
    if name == "kv_cache_bytes":
        return gib(value)
    return str(value).lower() if isinstance(value, bool) else str(value)
