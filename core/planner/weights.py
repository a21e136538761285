"""Bytes of what stays: base weights, the adapter and what its optimizer keeps."""

from core.planner.constants import ADAMW_8BIT, ADAMW_STATES, BF16, FP8, FP32, NF4, NF4_SINGLE
from core.planner.geometry import Geometry, Projection
from core.planner.lines import Line
from core.planner.workload import Workload

WIDTHS = {"fp32": FP32, "bf16": BF16}
# 4-bit and 8-bit storage holds the linear layers of the decoder; the rest stays in what the device computes in.
LINEAR_BYTES = {"nf4": NF4, "nf4-dq": NF4, "nf4-single": NF4_SINGLE, "fp8": FP8}


def base_weights(
    geometry: Geometry, storage: str, name: str = "base weights", packed_experts: bool = True, rest: str = "bf16"
) -> Line:
    """Base weights in one of "bf16", "fp32", "nf4", "fp8".

    packed_experts  a mixture's experts are one tensor a layer, as transformers 5 stores them; the 4-bit quantiser
                    replaces linear layers only and leaves such tensors in 16 bits
    rest            type of what 4-bit and 8-bit storage leaves as it is: "bf16" or "fp32"
    """
    if storage in WIDTHS:
        width = WIDTHS[storage]
        return Line(
            name,
            geometry.parameters * width,
            f"{geometry.parameters:,} parameters x {width} bytes ({storage})",
            "parameters counted from config.json",
        )
    kept = geometry.expert_parameters if packed_experts and storage.startswith("nf4") else 0
    linear = geometry.linear_parameters - kept
    others = geometry.parameters - linear
    each = LINEAR_BYTES[storage]
    experts = ", packed experts among them" if kept else ""
    return Line(
        name,
        round(linear * each) + others * WIDTHS[rest],
        f"{linear:,} linear weights x {each:.4g} bytes ({storage}) + {others:,} others x {WIDTHS[rest]} bytes{experts}",
        "Dettmers et al. 2023, bitsandbytes" if storage.startswith("nf4") else "vLLM online quantisation",
    )


def adapter_parameters(geometry: Geometry, rank: int, modules: tuple[str, ...], packed_experts: bool = True) -> int:
    """Trainable numbers of a LoRA adapter: rank x (inputs + outputs) for every matrix it touches."""
    touched = [p for p in geometry.projections if p.name in modules]
    if not packed_experts:
        return sum(_lora(p, rank) for p in touched)
    plain = sum(_lora(p, rank) for p in touched if not p.expert)
    return plain + _packed_expert_parameters(geometry, rank, {p.name for p in touched if p.expert})


def _lora(projection: Projection, rank: int) -> int:
    return rank * (projection.inputs + projection.outputs) * projection.count


def _packed_expert_parameters(geometry: Geometry, rank: int, names: set[str]) -> int:
    """PEFT 0.21 on packed experts: Mixtral's are called w1 to w3 and never match; Qwen3's gate and up are one matrix.

    That one matrix gets an adapter of twice the rank for each expert, so its output side counts twice as well.
    """
    if geometry.model_type != "qwen3_moe" or not names:
        return 0
    experts = rank * geometry.num_experts * geometry.sparse_layers
    hidden, width = geometry.hidden_size, geometry.moe_intermediate_size
    both = 2 * experts * (hidden + 2 * width) if names & {"gate_proj", "up_proj"} else 0
    down = experts * (hidden + width) if "down_proj" in names else 0
    return both + down


def adapter(count: int, workload: Workload) -> Line:
    """The adapter's own numbers."""
    width = WIDTHS[workload.adapter_dtype]
    formula = f"{count:,} trainable numbers (rank {workload.rank}) x {width} bytes ({workload.adapter_dtype})"
    return Line("adapter", count * width, formula, "PEFT LoRA: rank x (inputs + outputs) for each matrix")


def gradients(count: int, workload: Workload) -> Line:
    width = WIDTHS[workload.adapter_dtype]
    return Line(
        "gradients", count * width, f"{count:,} trainable numbers x {width} bytes", "torch: type of the adapter"
    )


def optimizer_states(count: int, workload: Workload) -> Line:
    if workload.optim == "adamw_8bit":
        formula = f"{count:,} trainable numbers x {ADAMW_8BIT} bytes (8-bit moments and their scales)"
        return Line("optimizer states", round(count * ADAMW_8BIT), formula, "bitsandbytes, blocks of 256")
    width = WIDTHS[workload.adapter_dtype]
    formula = f"{count:,} trainable numbers x {ADAMW_STATES} moments x {width} bytes"
    return Line("optimizer states", count * ADAMW_STATES * width, formula, "torch.optim.AdamW")
