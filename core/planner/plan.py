"""Where every byte of a run goes, phase by phase, and whether it fits."""

from dataclasses import dataclass

from core.catalogue import GpuProfile
from core.errors import InvalidInput
from core.planner import constants as c
from core.planner.activations import backward_lines, batch_of, forward_lines
from core.planner.engine import adapter_slots, engine_kv_cache, engine_overhead, engine_weights
from core.planner.geometry import Geometry
from core.planner.kv_cache import KvCache
from core.planner.lines import Line, MemoryPhase, busiest, memory_phase
from core.planner.weights import WIDTHS, adapter, adapter_parameters, base_weights, gradients, optimizer_states
from core.planner.workload import Workload
from core.units import MIB, gib

COMES_AND_GOES = ("gradients", "activations", "head")


@dataclass(frozen=True)
class MemoryPlan:
    """A run's memory. Bytes are predictions of the driver's count, so a plan that fits leaves room to spare.

    kv_cache   what the engine's cache holds; where there is no engine, what generate keeps for one step
    """

    model: str
    geometry: Geometry
    gpu: GpuProfile
    workload: Workload
    phases: tuple[MemoryPhase, ...]
    kv_cache: KvCache

    @property
    def capacity_bytes(self) -> int:
        return self.gpu.memory_bytes

    @property
    def peak_bytes(self) -> int:
        return max(phase.total_bytes for phase in self.phases)

    @property
    def peak_phase(self) -> str:
        """The fullest phase; of equal ones the last, since the others only keep what it took."""
        return max(reversed(self.phases), key=lambda phase: phase.total_bytes).name

    @property
    def fits(self) -> bool:
        """Whether the fullest phase fits and the engine can hold one sequence of full length."""
        return self.peak_bytes <= self.capacity_bytes and self.kv_cache.starts

    @property
    def sentence(self) -> str:
        """The verdict in one sentence."""
        free = self.capacity_bytes - self.peak_bytes
        if self.fits:
            return f"Fits: {gib(free)} of {gib(self.capacity_bytes)} free"
        if free < 0:
            return f"Does not fit: the {self.peak_phase} phase needs {gib(-free)} more than {gib(self.capacity_bytes)}"
        return (
            f"Does not fit: the engine is left {gib(self.kv_cache.bytes)} of KV cache and one sequence of"
            f" {self.workload.sequence_tokens:,} tokens needs {gib(self.kv_cache.needed_bytes)}"
        )

    def to_json(self) -> dict[str, object]:
        return {
            "model": self.model,
            "parameters": self.geometry.parameters,
            "gpu": self.gpu.id,
            "capacity_bytes": self.capacity_bytes,
            "phases": {phase.name: phase.to_json() for phase in self.phases},
            "peak_bytes": self.peak_bytes,
            "peak_phase": self.peak_phase,
            "fits": self.fits,
            "kv_cache": self.kv_cache.to_json(),
        }


def plan(geometry: Geometry, gpu: GpuProfile, workload: Workload, model_name: str = "") -> MemoryPlan:
    """The memory of a run with this model, GPU and workload.

    model_name   how the plan calls the model

    Raises InvalidInput where the workload contradicts the model or the GPU.
    """
    check_together(geometry, gpu, workload)
    count = adapter_parameters(geometry, workload.rank, workload.target_modules)
    states, trained = optimizer_states(count, workload), adapter(count, workload)
    cache, kv_line = _kv_cache(geometry, gpu, workload)
    weights = [base_weights(geometry, "nf4" if workload.quantization == "nf4" else gpu.dtype, rest=gpu.dtype)]
    if workload.has_engine:
        weights += [engine_weights(geometry, gpu, workload), engine_overhead(geometry, gpu, workload)]
        weights += [adapter_slots(geometry, gpu, workload)]
    awake = [*weights, kv_line]
    asleep = workload.sleep_kv_cache or not workload.has_engine
    updating = [*(weights if asleep else awake), trained, states]
    update = busiest("update", _update(geometry, gpu, workload, updating, count))
    rollout = _phase("rollout", gpu, [*awake, trained, states])
    sync = _phase("sync", gpu, [*awake, _synced(geometry, gpu, workload, trained), states])
    if gpu.kind == "cpu":
        rollout, sync = _after(update, rollout), _after(update, sync)
    phases = (_phase("load", gpu, [*awake, trained]), rollout, sync, update)
    return MemoryPlan(model_name or geometry.model_type, geometry, gpu, workload, phases, cache)


def check_together(geometry: Geometry, gpu: GpuProfile, workload: Workload) -> None:
    """Refuse a workload that this model or GPU cannot have."""
    if workload.rank > geometry.hidden_size:
        problem = f"more than the {geometry.hidden_size:,} dimensions of the model"
        raise InvalidInput("rank", workload.rank, problem, "choose a rank of 256 or less")
    if workload.sequence_tokens > geometry.max_position_embeddings:
        problem = f"which with a prompt of {workload.prompt_tokens:,} is beyond the model's context"
        remedy = f"keep both together within {geometry.max_position_embeddings:,} tokens"
        raise InvalidInput("completion_tokens", workload.completion_tokens, problem, remedy)
    if gpu.memory_bytes < 1:
        raise InvalidInput("gpu", gpu.id, "a device without memory", "choose another GPU profile")
    if gpu.kind == "cpu" and workload.sleep_kv_cache:
        raise InvalidInput("sleep_kv_cache", True, "but the engine cannot sleep on a CPU", "set it to false")
    if gpu.kind == "cpu" and workload.engine_dtype != "bf16" and workload.has_engine:
        raise InvalidInput("engine_dtype", workload.engine_dtype, "which the CPU engine cannot serve", "choose bf16")


def _update(
    geometry: Geometry, gpu: GpuProfile, workload: Workload, held: list[Line], count: int
) -> tuple[MemoryPhase, MemoryPhase, MemoryPhase]:
    """The three steps of the update. Gradients of earlier micro-batches are there while the next one runs forward."""
    grads, batch = gradients(count, workload), batch_of(geometry, gpu, workload, count)
    earlier = [grads] if workload.micro_batch < workload.batch_size else []
    return (
        _phase("forward", gpu, [*held, *earlier, *forward_lines(geometry, batch)]),
        _phase("backward", gpu, [*held, grads, *backward_lines(geometry, batch, 0 if earlier else grads.bytes)]),
        _phase("optimizer", gpu, [*held, grads]),
    )


def _phase(name: str, gpu: GpuProfile, lines: list[Line]) -> MemoryPhase:
    return memory_phase(name, [*lines, _margin(gpu, sum(line.bytes for line in lines if line.name in COMES_AND_GOES))])


def _after(update: MemoryPhase, of: MemoryPhase) -> MemoryPhase:
    """A phase of a CPU run from the second step on: what the first update freed still belongs to the process."""
    kept = max(0, update.total_bytes - of.total_bytes)
    formula = f"what the update before it freed, to {gib(update.total_bytes)} in all"
    line = Line("kept by malloc", kept, formula, "measured on Linux with glibc")
    return memory_phase(of.name, [*of.lines, line])


def _margin(gpu: GpuProfile, moving: int) -> Line:
    """What the process takes besides its tensors."""
    if gpu.kind == "cpu":
        fixed, share = c.PROCESS_BYTES, c.CPU_FRAGMENTATION if gpu.bf16 else c.CPU_FP32_FRAGMENTATION
        process, source = f"Python with torch and vLLM {fixed / MIB:,.0f} MiB", "measured on Linux with glibc"
    else:
        fixed, share = c.DRIVER_BYTES + c.CONTEXT_BYTES, c.FRAGMENTATION
        process = f"driver {c.DRIVER_BYTES / MIB:,.0f} MiB + CUDA context {c.CONTEXT_BYTES / MIB:,.0f} MiB"
        source = "measured on an H100; published runs reserve 1.08 to 1.17 times"
    spare = round(moving * share)
    formula = f"{process} + {share:.0%} of what comes and goes {spare / MIB:,.0f} MiB"
    return Line("margin", fixed + spare, formula, source)


def _synced(geometry: Geometry, gpu: GpuProfile, workload: Workload, trained: Line) -> Line:
    """The adapter while it is handed over: a copy for the engine, or the largest matrix merged in fp32 and cast."""
    if not workload.has_engine:
        return trained
    if workload.adapter_sync == "slot":
        copy = trained.bytes // WIDTHS[workload.adapter_dtype] * WIDTHS[gpu.dtype]
        formula = f"{trained.formula} + a {gpu.dtype} copy for the engine"
        return Line("adapter", trained.bytes + copy, formula, trained.source)
    largest = max(p.inputs * p.outputs for p in geometry.projections)
    merged = largest * (2 * c.FP32 + WIDTHS[gpu.dtype])
    formula = f"{trained.formula} + one matrix of {largest:,} weights merged in fp32 ({merged / MIB:,.0f} MiB)"
    return Line("adapter", trained.bytes + merged, formula, trained.source)


def _kv_cache(geometry: Geometry, gpu: GpuProfile, workload: Workload) -> tuple[KvCache, Line]:
    if workload.has_engine:
        return engine_kv_cache(geometry, gpu, workload)
    sequences, tokens = workload.batch_size, workload.sequence_tokens
    each = 2 * geometry.kv_size * WIDTHS[gpu.dtype] * geometry.num_hidden_layers
    # Each new token is appended by copying one layer's cache, so one layer exists twice.
    nbytes = sequences * tokens * (each + each // geometry.num_hidden_layers)
    formula = f"{sequences} sequences x {tokens:,} tokens x {each:,} bytes + one layer twice"
    cache = KvCache(nbytes, 1, each, sequences * tokens, sequences * tokens, sequences, 0)
    return cache, Line("KV cache", nbytes, formula, "transformers DynamicCache")
