"""What the vLLM engine holds: its weights, the peak of its profiling run, adapter slots and the KV cache."""

import math

from core.catalogue import GpuProfile
from core.planner import constants as c
from core.planner.geometry import Geometry
from core.planner.kv_cache import KvCache, kv_bytes_for, kv_cache
from core.planner.lines import Line
from core.planner.weights import WIDTHS, base_weights
from core.planner.workload import Workload
from core.units import GIB, MIB, gib

VLLM = "vLLM 0.31"


def engine_weights(geometry: Geometry, gpu: GpuProfile, workload: Workload) -> Line:
    """The engine's own copy of the base weights; empty where it shares the trainer's."""
    if workload.share_weights:
        return Line("engine weights", 0, "shared with the trainer")
    return _weights(geometry, gpu, workload)


def adapter_slots(geometry: Geometry, gpu: GpuProfile, workload: Workload) -> Line:
    """Room the engine keeps for one adapter: matrices for every linear layer, and for some models the embeddings."""
    if workload.adapter_sync == "merged":
        return Line("adapter slots", 0, "no slot: the engine gets merged weights")
    sides = sum((p.inputs + p.outputs) * p.count for p in geometry.projections)
    if geometry.model_type in c.EMBEDDING_SLOT_TYPES:
        sides += 2 * (geometry.vocab_size + geometry.hidden_size)
    width = WIDTHS[gpu.dtype]
    formula = f"1 slot x rank {workload.engine_rank} x {sides:,} inputs and outputs of all modules x {width} bytes"
    return Line("adapter slots", workload.engine_rank * sides * width, formula, VLLM)


def engine_overhead(geometry: Geometry, gpu: GpuProfile, workload: Workload) -> Line:
    """The most the engine needs besides weights and KV cache: its profiling run, CUDA graphs, what torch cannot see."""
    tokens, sequences = batched_tokens(gpu, workload), workload.engine_sequences
    each = c.PROFILE_I * geometry.active_width + c.PROFILE_H * geometry.hidden_size
    prompts = tokens * each * WIDTHS[gpu.dtype] // c.BF16
    sampler = round(c.SAMPLER_LOGIT * sequences * geometry.vocab_size) + c.SAMPLER_BYTES
    formula = (
        f"the larger of a batch of {tokens:,} prompt tokens ({prompts / MIB:,.0f} MiB)"
        f" and sampling {sequences} sequences ({sampler / MIB:,.0f} MiB)"
    )
    total = max(prompts, sampler)
    if gpu.kind != "cpu":
        outside = c.ENGINE_NON_TORCH_BYTES
        total += c.GRAPH_BYTES + outside
        formula += f" + CUDA graphs {c.GRAPH_BYTES / MIB:,.0f} MiB + {outside / MIB:,.0f} MiB outside torch"
    return Line("engine overhead", total, formula, VLLM)


def batched_tokens(gpu: GpuProfile, workload: Workload) -> int:
    """max_num_batched_tokens: as set, or vLLM's default, which it cuts to what its sequences can hold."""
    if gpu.kind == "cpu":
        default = c.CPU_BATCHED_TOKENS
    elif visible_bytes(gpu) >= c.LARGE_GPU_BYTES and not gpu.id.startswith("a100"):
        default = c.LARGE_GPU_BATCHED_TOKENS
    else:
        default = c.GPU_BATCHED_TOKENS
    return workload.max_num_batched_tokens or min(default, workload.engine_sequences * workload.sequence_tokens)


def engine_kv_cache(geometry: Geometry, gpu: GpuProfile, workload: Workload) -> tuple[KvCache, Line]:
    """The KV cache of the engine and its line: of the size set, or what vLLM finds left of its share."""
    nbytes, formula = _kv_bytes(geometry, gpu, workload)
    cache = kv_cache(
        geometry,
        nbytes,
        block_tokens=block_tokens(gpu),
        sequence_tokens=workload.sequence_tokens,
        in_flight_tokens=in_flight_tokens(gpu, workload),
        element_bytes=WIDTHS[gpu.dtype],
    )
    return cache, Line("KV cache", cache.bytes, f"{formula}: {cache.blocks:,} blocks, {cache.tokens:,} tokens", VLLM)


def step_kv_bytes(geometry: Geometry, gpu: GpuProfile, workload: Workload) -> int:
    """KV cache that holds every sequence the engine runs at once at full length."""
    return kv_bytes_for(
        geometry,
        workload.engine_sequences,
        block_tokens=block_tokens(gpu),
        sequence_tokens=workload.sequence_tokens,
        in_flight_tokens=in_flight_tokens(gpu, workload),
        element_bytes=WIDTHS[gpu.dtype],
    )


def visible_bytes(gpu: GpuProfile) -> int:
    """The total that a process sees and vLLM takes its share of: on a GPU less than nvidia-smi prints."""
    return gpu.memory_bytes - (0 if gpu.kind == "cpu" else c.DRIVER_BYTES)


def block_tokens(gpu: GpuProfile) -> int:
    return c.CPU_BLOCK_TOKENS if gpu.kind == "cpu" else c.GPU_BLOCK_TOKENS


def in_flight_tokens(gpu: GpuProfile, workload: Workload) -> int:
    """Tokens scheduled and not yet settled: vLLM's max_in_flight_tokens."""
    batches = c.CPU_CONCURRENT_BATCHES if gpu.kind == "cpu" else c.GPU_CONCURRENT_BATCHES
    return batches * batched_tokens(gpu, workload)


def non_kv_bytes(geometry: Geometry, gpu: GpuProfile, workload: Workload) -> int:
    """Everything of the engine's but the KV cache. Shared weights count: the engine is the one that loads them."""
    parts = (part(geometry, gpu, workload) for part in (_weights, engine_overhead, adapter_slots))
    return sum(line.bytes for line in parts)


def _weights(geometry: Geometry, gpu: GpuProfile, workload: Workload) -> Line:
    """In the type set, where bf16 stands for what the device computes in."""
    storage = gpu.dtype if workload.engine_dtype == "bf16" else workload.engine_dtype
    return base_weights(geometry, storage, "engine weights", rest=gpu.dtype)


def _kv_bytes(geometry: Geometry, gpu: GpuProfile, workload: Workload) -> tuple[int, str]:
    if workload.kv_cache_bytes is not None:
        return workload.kv_cache_bytes, "as set"
    if gpu.kind == "cpu":
        whole = math.ceil(step_kv_bytes(geometry, gpu, workload) / GIB) * GIB
        return whole, f"whole GiB for {workload.engine_sequences} sequences of {workload.sequence_tokens:,} tokens"
    share = math.ceil(visible_bytes(gpu) * workload.gpu_memory_utilization)
    other = non_kv_bytes(geometry, gpu, workload)
    formula = f"{gib(visible_bytes(gpu))} x {workload.gpu_memory_utilization} - {gib(other)} for the rest of the engine"
    return max(0, share - other), formula
