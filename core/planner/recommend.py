"""A workload to start from, given a model and a GPU alone, with the reason for each choice.

The engine's share follows one rule. What the update needs beside the engine is counted first; a tenth of the GPU stays
free for what no formula foresees; the engine gets the rest, but no more than it can use, and at least half where it is
there. The rank is the largest whose adapter stays within a twentieth of the model.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from core.catalogue import GpuProfile
from core.config.run_config import ATTENTION_MODULES, LINEAR_MODULES
from core.planner.engine import non_kv_bytes, step_kv_bytes, visible_bytes
from core.planner.geometry import Geometry
from core.planner.plan import MemoryPlan, plan
from core.planner.weights import adapter_parameters
from core.planner.workload import Workload
from core.units import gib

RANKS = (128, 64, 32, 16, 8)
ADAPTER_SHARE = 1 / 20
SPARE_SHARE = 1 / 10
USUAL_SHARE = 0.5
GRID = 20  # shares are given in twentieths
PASS_TOKENS = 16_384  # tokens in one pass that keep a GPU busy; more only costs memory
PROMPT_TOKENS = 256
GPU_COMPLETIONS = (1024, 512, 256, 128, 64)
CPU_COMPLETIONS = (256, 128, 64)  # a CPU samples some hundreds of tokens a second: longer ones fit, but take minutes
GROUPS = (8, 4)
ENGINE = ("engine weights", "engine overhead", "KV cache", "adapter slots")


@dataclass(frozen=True)
class Choice:
    """One recommended field and why."""

    field: str
    value: object
    reason: str


@dataclass(frozen=True)
class Recommendation:
    """A workload with its plan. `plan.fits` is False when nothing this planner knows fits the GPU."""

    workload: Workload
    choices: tuple[Choice, ...]
    plan: MemoryPlan


def recommend(geometry: Geometry, gpu: GpuProfile, share_weights: bool | None = None) -> Recommendation:
    """The workload this planner would start with.

    share_weights   whether engine and trainer can use one copy of the base weights; None: on a GPU yes, on a CPU no
    """
    sharing = gpu.kind != "cpu" if share_weights is None else share_weights
    best: MemoryPlan | None = None
    for candidate in _candidates(geometry, gpu, sharing):
        best = plan(geometry, gpu, _with_share(geometry, gpu, candidate))
        if best.fits and best.kv_cache.full_length_sequences >= best.workload.group_size:
            break
    assert best is not None  # there is always a candidate
    return Recommendation(best.workload, _choices(geometry, gpu, best), best)


def _candidates(geometry: Geometry, gpu: GpuProfile, sharing: bool) -> Iterator[Workload]:
    """Settings from the most to the least wished for.

    Given up in this order: half of the rank, the larger group, long completions, 16-bit weights. A CPU has no 4-bit
    engine; there, keeping activations instead of recomputing them is given up first.
    """
    start = _start(geometry, gpu, sharing)
    longest = geometry.max_position_embeddings - PROMPT_TOKENS
    if gpu.kind == "cpu":
        ways = [(start, CPU_COMPLETIONS[:1]), (replace(start, gradient_checkpointing=True), CPU_COMPLETIONS)]
    else:
        ways = [(start, GPU_COMPLETIONS), (_in_nf4(start), GPU_COMPLETIONS)]
    for stored, lengths in ways:
        for tokens in lengths:
            for group in GROUPS:
                for rank in (start.rank, max(8, start.rank // 2)):
                    sized = replace(stored, rank=rank, group_size=group, completion_tokens=min(tokens, longest))
                    yield replace(sized, per_device_train_batch_size=_micro_batch(sized))


def _start(geometry: Geometry, gpu: GpuProfile, sharing: bool) -> Workload:
    """What is common to all candidates. A mixture's adapter stays on the attention: its experts are too many."""
    modules = ATTENTION_MODULES if geometry.sparse_layers else LINEAR_MODULES
    most = geometry.parameters * ADAPTER_SHARE
    fitting = (rank for rank in RANKS if adapter_parameters(geometry, rank, modules) <= most)
    common = Workload(rank=next(fitting, RANKS[-1]), target_modules=modules, prompt_tokens=PROMPT_TOKENS)
    if gpu.kind == "cpu":
        common = replace(common, gradient_checkpointing=False, head="frozen", adapter_sync="merged")
        return replace(common, prompts_per_step=4, packed=True)
    return replace(common, prompts_per_step=8, share_weights=sharing)


def _in_nf4(workload: Workload) -> Workload:
    """The workload with 4-bit base weights, in the engine too where it shares them."""
    return replace(workload, quantization="nf4", engine_dtype="nf4" if workload.share_weights else "bf16")


def _micro_batch(workload: Workload) -> int:
    """As many whole groups as keep a pass within PASS_TOKENS, at least one, and that split the step evenly."""
    group = workload.group_size * workload.sequence_tokens
    groups = [n for n in range(1, workload.prompts_per_step + 1) if workload.prompts_per_step % n == 0]
    return workload.group_size * max((n for n in groups if n * group <= PASS_TOKENS), default=1)


def _with_share(geometry: Geometry, gpu: GpuProfile, workload: Workload) -> Workload:
    """The workload with the engine's share of the GPU."""
    if gpu.kind == "cpu":
        return workload
    left = gpu.memory_bytes * (1 - SPARE_SHARE) - _beside_the_engine(plan(geometry, gpu, workload))
    most = math.floor(left / visible_bytes(gpu) * GRID)
    needed = non_kv_bytes(geometry, gpu, workload) + step_kv_bytes(geometry, gpu, workload)
    useful = math.ceil(needed / visible_bytes(gpu) * GRID)
    share = min(most, max(useful, round(USUAL_SHARE * GRID)))
    return replace(workload, gpu_memory_utilization=min(max(share, 1), GRID - 1) / GRID)


def _beside_the_engine(plan: MemoryPlan) -> int:
    """Bytes of the update that are not the engine's. Shared weights are the engine's, which loads them."""
    engine = (*ENGINE, "base weights") if plan.workload.share_weights else ENGINE
    parts = plan.phases[-1].parts
    return max(sum(line.bytes for line in part.lines if line.name not in engine) for part in parts)


def _choices(geometry: Geometry, gpu: GpuProfile, best: MemoryPlan) -> tuple[Choice, ...]:
    workload, cache = best.workload, best.kv_cache
    share = adapter_parameters(geometry, workload.rank, workload.target_modules) / geometry.parameters
    rank = "the largest whose adapter stays within 5 % of the model"
    if workload.rank < _start(geometry, gpu, workload.share_weights).rank:
        rank = "half of what the model would carry, because more does not fit"
    reasons = {
        "rank": f"{rank}: the adapter is {share:.1%} of its size",
        "quantization": "16-bit weights fit" if workload.quantization == "none" else "16-bit weights leave no room",
        "group_size": "enough completions of one prompt for a steady comparison, and whole groups fit in a pass",
        "completion_tokens": f"the longest for which {cache.full_length_sequences} full sequences fit the KV cache",
        "per_device_train_batch_size": f"{workload.batch_tokens:,} tokens a pass; more would not run faster",
    }
    if gpu.kind != "cpu":
        beside = _beside_the_engine(best)
        reasons["gpu_memory_utilization"] = (
            f"the update needs {gib(beside)} beside the engine, a tenth stays free, and the KV cache holds"
            f" {cache.full_length_sequences} of {workload.batch_size} completions at full length"
        )
    reasons["prompts_per_step"] = "enough different prompts for a steady gradient"
    recomputes = workload.gradient_checkpointing
    kept = "recomputing activations makes room" if recomputes else "activations fit, so steps run faster"
    reasons["gradient_checkpointing"] = kept
    return tuple(Choice(field, getattr(workload, field), reason) for field, reason in reasons.items())
