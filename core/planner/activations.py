"""Bytes that come and go in a forward and backward pass: activations and the language-model head.

Two moments can be the fullest. At the end of the forward pass the head works while every layer's kept input is alive;
later one layer is recomputed and differentiated. A plan shows the larger. All figures are per token, so they
grow in proportion to the micro-batch.
"""

from dataclasses import dataclass

from core.catalogue import GpuProfile
from core.planner import constants as c
from core.planner.geometry import Geometry
from core.planner.lines import Line
from core.planner.weights import WIDTHS
from core.planner.workload import Workload, pack_budget
from core.units import MIB

MEASURED = "measured on an H100 (core/planner/constants.py)"


@dataclass(frozen=True)
class Batch:
    """One forward and backward pass.

    tokens         of the whole batch
    worked_tokens  of these, those that the backward pass works on at one time
    scored_tokens  those that go through the language-model head
    mask_columns   width of the attention mask; 0 where attention needs none: plain causal, or packed end to end
    recomputed     gradient checkpointing
    trains_mlp     whether the MLP carries an adapter
    fp32_inputs    whether PEFT copies layer inputs to fp32: fp32 adapters on 16-bit linear layers
    autocast_copy  bytes of autocast's bf16 copy of an fp32 adapter, alive until the forward pass ends
    width          bytes of a number that is computed with: 2 in bf16, in which the figures were measured, 4 in fp32
    """

    tokens: int
    worked_tokens: int
    scored_tokens: int
    mask_columns: int
    recomputed: bool
    trains_mlp: bool
    fp32_inputs: bool
    autocast_copy: int
    head: str
    chunk_tokens: int = c.CHUNK_TOKENS
    logit_bytes: int = c.PLAIN_LOGIT
    width: int = c.BF16

    def scaled(self, nbytes: int) -> int:
        """Bytes measured in bf16, in the type computed with."""
        return nbytes * self.width // c.BF16


def batch_of(geometry: Geometry, gpu: GpuProfile, workload: Workload, adapter_count: int) -> Batch:
    """The largest batch that this workload makes."""
    on_cpu, width = gpu.kind == "cpu", WIDTHS[gpu.dtype]
    fp32 = workload.adapter_dtype == "fp32" and width == c.BF16
    return Batch(
        tokens=workload.batch_tokens,
        worked_tokens=workload.pack_tokens(pack_budget(geometry.hidden_size, on_cpu)),
        scored_tokens=workload.scored_tokens,
        mask_columns=workload.row_tokens if workload.padded else 0,
        recomputed=workload.gradient_checkpointing,
        trains_mlp=workload.trains_mlp,
        fp32_inputs=workload.fp32_inputs and fp32 and workload.quantization == "none",
        autocast_copy=adapter_count * c.AUTOCAST_COPY if fp32 else 0,
        head=workload.head,
        chunk_tokens=c.CPU_CHUNK_TOKENS if on_cpu else c.CHUNK_TOKENS,
        width=width,
    )


def forward_lines(geometry: Geometry, batch: Batch) -> tuple[Line, Line]:
    """(activations, head) at the end of the forward pass, when the head works on every scored token."""
    norm = (c.FINAL_NORM_H - c.BF16 + batch.width) * geometry.hidden_size * batch.tokens
    formula = f"{_kept_in_words(geometry, batch)} + final norm {norm / MIB:,.0f} MiB"
    if batch.autocast_copy:
        formula += f" + autocast's copy of the adapter {batch.autocast_copy / MIB:,.0f} MiB"
    nbytes = kept(geometry, batch) + norm + batch.autocast_copy
    return Line("activations", nbytes, formula, MEASURED), head(geometry, batch)


def backward_lines(geometry: Geometry, batch: Batch, fresh_gradients: int = 0) -> tuple[Line]:
    """Activations while the layers are differentiated; the head is done by then.

    fresh_gradients  bytes of gradients that this pass brings. They come layer by layer as what was kept for a pack
                     goes, so at the fullest moment one or the other is there; packs that wait keep theirs throughout
    """
    each, waits = in_flight_per_token(geometry, batch), kept(geometry, batch)
    how = "one layer recomputed" if batch.recomputed else "gradients in flight"
    formula = f"{_kept_in_words(geometry, batch)} + {how} {batch.worked_tokens:,} tokens x {each:,} bytes"
    other_packs = max(0, batch.tokens - batch.worked_tokens) * waits // max(1, batch.tokens)
    gone = waits - max(other_packs, waits - fresh_gradients)
    if gone > 0:
        formula += f" - {gone / MIB:,.0f} MiB where gradients took the place"
    return (Line("activations", waits - gone + each * batch.worked_tokens, formula, MEASURED),)


def kept(geometry: Geometry, batch: Batch) -> int:
    """Bytes alive when the forward pass ends: every layer's input, or all it needs when nothing is recomputed."""
    mask = c.MASK_SHARED * batch.mask_columns
    return batch.tokens * (kept_per_token(geometry, batch) + mask)


def kept_per_token(geometry: Geometry, batch: Batch) -> int:
    """Bytes a token that all layers together keep for the backward pass."""
    h, layers = geometry.hidden_size, geometry.num_hidden_layers
    if batch.recomputed:
        return batch.scaled(layers * c.CHECKPOINT_H * h)
    norms = (c.SAVED_NORM_H + c.SAVED_EXTRA_NORM_H * (geometry.norms_per_layer - 2)) * h
    common = (c.SAVED_H - c.SAVED_NORM_H + c.SAVED_FP32_H * batch.fp32_inputs) * h
    common += _attention(geometry, batch) + c.MASK_LAYER * batch.mask_columns
    dense = (c.SAVED_I + c.SAVED_LORA_I * batch.trains_mlp) * geometry.intermediate_size
    dense += c.SAVED_LORA_H * batch.trains_mlp * h
    routed = c.EXPERT_SAVED_I * geometry.moe_intermediate_size + c.EXPERT_SAVED_H * h
    sparse = geometry.num_experts_per_tok * routed
    rest = layers * common + geometry.dense_layers * dense + geometry.sparse_layers * sparse
    return layers * norms + batch.scaled(rest)


def in_flight_per_token(geometry: Geometry, batch: Batch) -> int:
    """Bytes a token that the backward pass adds at its worst moment, in one layer."""
    h = geometry.hidden_size
    if not batch.recomputed:
        return batch.scaled(c.UNROLLED_I * geometry.active_width + c.UNROLLED_H * h)
    fp32_mlp = batch.fp32_inputs and batch.trains_mlp
    dense = (c.WORKING_I + c.WORKING_FP32_I * fp32_mlp) * geometry.intermediate_size
    dense += (c.WORKING_H + c.WORKING_FP32_H * fp32_mlp) * h
    routed = c.EXPERT_WORKING_I * geometry.moe_intermediate_size + c.EXPERT_WORKING_H * h
    sparse = geometry.num_experts_per_tok * routed + c.SPARSE_WORKING_H * h
    mlp = max(dense if geometry.dense_layers else 0, sparse if geometry.sparse_layers else 0)
    norms = c.WORKING_EXTRA_NORM_H * (geometry.norms_per_layer - 2) * h
    return batch.scaled(mlp + norms + _attention(geometry, batch) + c.MASK_LAYER * batch.mask_columns)


def head(geometry: Geometry, batch: Batch) -> Line:
    """The language-model head over the scored tokens: logits, or the tiles they are folded from."""
    scored, words, h = batch.scored_tokens, geometry.vocab_size, geometry.hidden_size
    if batch.head == "plain":
        formula = f"{scored:,} scored tokens x {words:,} words x {batch.logit_bytes} bytes"
        return Line("head", scored * words * batch.logit_bytes, formula, MEASURED)
    if batch.head in ("chunked", "frozen"):
        chunk, each = min(scored, batch.chunk_tokens), c.CHUNKED_LOGIT if batch.head == "chunked" else c.FROZEN_LOGIT
        formula = f"chunks of {chunk:,} tokens x {words:,} words x {each} bytes"
        return Line("head", chunk * words * each, formula, MEASURED)
    rows = min(scored, c.FUSED_TILE_TOKENS)
    formula = (
        f"one tile of {rows:,} tokens x {c.FUSED_TILE_WORDS:,} words x {c.BF16} bytes"
        f" + {scored:,} scored tokens x {h:,} x {c.FUSED_H} bytes"
    )
    nbytes = rows * c.FUSED_TILE_WORDS * c.BF16 + scored * h * c.FUSED_H
    return Line("head", nbytes, formula, "TRL 1.16, trl/kernels/chunked_logprob.py")


def _attention(geometry: Geometry, batch: Batch) -> int:
    """Bytes a token that one layer's attention holds: queries, keys, values, output, and their norms' fp32 inputs."""
    q, kv = geometry.q_size, geometry.kv_size
    held = c.MASKED_Q * q if batch.mask_columns else c.CAUSAL_Q * q + c.CAUSAL_KV * kv
    held += c.QK_NORM_Q * q + c.QK_NORM_KV * kv if geometry.qk_norm else 0
    return held + (c.FP32_Q * q if batch.fp32_inputs else 0)


def _kept_in_words(geometry: Geometry, batch: Batch) -> str:
    layers, mask = geometry.num_hidden_layers, " + mask" if batch.mask_columns else ""
    if batch.recomputed:
        return f"{batch.tokens:,} tokens x {layers} layers x {geometry.hidden_size:,} x {batch.width} bytes{mask}"
    each = kept_per_token(geometry, batch)
    return f"{batch.tokens:,} tokens x {each:,} bytes kept in {layers} layers{mask}"
