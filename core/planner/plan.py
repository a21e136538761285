"""Where every byte of a run goes, phase by phase, and whether it fits."""

from dataclasses import dataclass
from functools import cached_property

from core.catalogue import GpuProfile
from core.errors import InvalidInput
from core.planner import constants as c
from core.planner.activations import backward_lines, batch_of, forward_lines
from core.planner.engine import adapter_slots, engine_kv_cache, engine_overhead, engine_weights
from core.planner.geometry import Geometry
from core.planner.kv_cache import KvCache
from core.planner.lines import Line, Phase, busiest, phase
from core.planner.weights import WIDTHS, adapter, adapter_parameters, base_weights, gradients, optimizer_states
from core.planner.workload import Setting
from core.units import MIB, gib

COMES_AND_GOES = ("gradients", "activations", "head")


@dataclass(frozen=True)
class Plan:
    """A run's memory. Bytes are predictions of the driver's count, so a plan that fits leaves room to spare.

    kv_cache   what the engine's cache holds; where there is no engine, what generate keeps for one step
    levers     the settings that advice may change; empty: all it knows
    """

    model: str
    geometry: Geometry
    gpu: GpuProfile
    setting: Setting
    phases: tuple[Phase, ...]
    kv_cache: KvCache
    levers: tuple[str, ...] = ()

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
            f" {self.setting.sequence_tokens:,} tokens needs {gib(self.kv_cache.needed_bytes)}"
        )

    @cached_property
    def advice(self) -> tuple[str, ...]:
        """What to change, most harmless first; empty when the plan fits."""
        from core.planner.advice import LEVERS, advice  # which tries a plan for every change it might advise

        if self.fits:
            return ()
        changes = advice(self.geometry, self.gpu, self.setting, self.levers or LEVERS)
        return tuple(change.sentence for change in changes) or (NOTHING_HELPS,)

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
            "advice": list(self.advice),
        }


NOTHING_HELPS = "No change of the settings makes this fit: choose a smaller model or a GPU with more memory"


def plan(
    geometry: Geometry, gpu: GpuProfile, setting: Setting, model_name: str = "", levers: tuple[str, ...] = ()
) -> Plan:
    """The memory of a run with this model, GPU and setting.

    model_name   how the plan calls the model
    levers       the settings that its advice may change; empty: all of core.planner.advice.LEVERS

    Raises InvalidInput where the setting contradicts the model or the GPU.
    """
    check_together(geometry, gpu, setting)
    count = adapter_parameters(geometry, setting.rank, setting.target_modules)
    states, trained = optimizer_states(count, setting), adapter(count, setting)
    cache, kv_line = _kv_cache(geometry, gpu, setting)
    weights = [base_weights(geometry, "nf4" if setting.quantization == "nf4" else gpu.dtype, rest=gpu.dtype)]
    if setting.fast_inference:
        weights += [engine_weights(geometry, gpu, setting), engine_overhead(geometry, gpu, setting)]
        weights += [adapter_slots(geometry, gpu, setting)]
    awake = [*weights, kv_line]
    asleep = setting.kv_asleep_in_update or not setting.fast_inference
    updating = [*(weights if asleep else awake), trained, states]
    update = busiest("update", _update(geometry, gpu, setting, updating, count))
    rollout = _phase("rollout", gpu, [*awake, trained, states])
    sync = _phase("sync", gpu, [*awake, _synced(geometry, gpu, setting, trained), states])
    if gpu.kind == "cpu":
        rollout, sync = _after(update, rollout), _after(update, sync)
    phases = (_phase("load", gpu, [*awake, trained]), rollout, sync, update)
    return Plan(model_name or geometry.model_type, geometry, gpu, setting, phases, cache, levers)


def check_together(geometry: Geometry, gpu: GpuProfile, setting: Setting) -> None:
    """Refuse a setting that this model or GPU cannot have."""
    if setting.rank > geometry.hidden_size:
        problem = f"more than the {geometry.hidden_size:,} dimensions of the model"
        raise InvalidInput("rank", setting.rank, problem, "choose a rank of 256 or less")
    if setting.sequence_tokens > geometry.max_position_embeddings:
        problem = f"which with a prompt of {setting.prompt_tokens:,} is beyond the model's context"
        remedy = f"keep both together within {geometry.max_position_embeddings:,} tokens"
        raise InvalidInput("completion_tokens", setting.completion_tokens, problem, remedy)
    if gpu.memory_bytes < 1:
        raise InvalidInput("gpu", gpu.id, "a device without memory", "choose another GPU profile")
    if gpu.kind == "cpu" and setting.kv_asleep_in_update:
        raise InvalidInput("kv_asleep_in_update", True, "but the engine cannot sleep on a CPU", "set it to false")
    if gpu.kind == "cpu" and setting.engine_dtype != "bf16" and setting.fast_inference:
        raise InvalidInput("engine_dtype", setting.engine_dtype, "which the CPU engine cannot serve", "choose bf16")


def _update(
    geometry: Geometry, gpu: GpuProfile, setting: Setting, held: list[Line], count: int
) -> tuple[Phase, Phase, Phase]:
    """The three steps of the update. Gradients of earlier micro-batches are there while the next one runs forward."""
    grads, batch = gradients(count, setting), batch_of(geometry, gpu, setting, count)
    earlier = [grads] if setting.micro_batch < setting.completions_per_step else []
    return (
        _phase("forward", gpu, [*held, *earlier, *forward_lines(geometry, batch)]),
        _phase("backward", gpu, [*held, grads, *backward_lines(geometry, batch, 0 if earlier else grads.bytes)]),
        _phase("optimizer", gpu, [*held, grads]),
    )


def _phase(name: str, gpu: GpuProfile, lines: list[Line]) -> Phase:
    return phase(name, [*lines, _margin(gpu, sum(line.bytes for line in lines if line.name in COMES_AND_GOES))])


def _after(update: Phase, of: Phase) -> Phase:
    """A phase of a CPU run from the second step on: what the first update freed still belongs to the process."""
    kept = max(0, update.total_bytes - of.total_bytes)
    formula = f"what the update before it freed, to {gib(update.total_bytes)} in all"
    line = Line("kept by malloc", kept, formula, "measured on Linux with glibc")
    return phase(of.name, [*of.lines, line])


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


def _synced(geometry: Geometry, gpu: GpuProfile, setting: Setting, trained: Line) -> Line:
    """The adapter while it is handed over: a copy for the engine, or the largest matrix merged in fp32 and cast."""
    if not setting.fast_inference:
        return trained
    if setting.adapter_sync == "lora":
        copy = trained.bytes // WIDTHS[setting.adapter_dtype] * WIDTHS[gpu.dtype]
        formula = f"{trained.formula} + a {gpu.dtype} copy for the engine"
        return Line("adapter", trained.bytes + copy, formula, trained.source)
    largest = max(p.inputs * p.outputs for p in geometry.projections)
    merged = largest * (2 * c.FP32 + WIDTHS[gpu.dtype])
    formula = f"{trained.formula} + one matrix of {largest:,} weights merged in fp32 ({merged / MIB:,.0f} MiB)"
    return Line("adapter", trained.bytes + merged, formula, trained.source)


def _kv_cache(geometry: Geometry, gpu: GpuProfile, setting: Setting) -> tuple[KvCache, Line]:
    if setting.fast_inference:
        return engine_kv_cache(geometry, gpu, setting)
    sequences, tokens = setting.completions_per_step, setting.sequence_tokens
    each = 2 * geometry.kv_size * WIDTHS[gpu.dtype] * geometry.num_hidden_layers
    # Each new token is appended by copying one layer's cache, so one layer exists twice.
    nbytes = sequences * tokens * (each + each // geometry.num_hidden_layers)
    formula = f"{sequences} sequences x {tokens:,} tokens x {each:,} bytes + one layer twice"
    cache = KvCache(nbytes, 1, each, sequences * tokens, sequences * tokens, sequences, 0)
    return cache, Line("KV cache", nbytes, formula, "transformers DynamicCache")
