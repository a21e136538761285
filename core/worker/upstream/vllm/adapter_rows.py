"""The adapter's first product done by the layer's own: A's rows lie below the weights of vLLM's layers.

A decode step is a chain of small kernels, and x A^T took two for each matrix: a fifth of a 7B model's step on an H100,
most of it waiting. As further rows of W they cost next to nothing, since x W^T reads the same x: what comes out beside
the layer's own columns is x A^T, for B to multiply. W stays one piece of memory, so nothing else notices. CUDA only;
before an engine with one slot starts. Layers that are quantised keep the products of `one_adapter`.
"""

from collections.abc import Sequence
from inspect import signature
from typing import Any

import torch
from torch.nn.functional import linear

from core.worker.upstream.vllm.one_adapter import SLOT

ROWS = "adapter_rows"  # the attribute of a layer: W and, below it, A of each slice, (out + slices x r, in)
ORIGINALS: dict[str, Any] = {}  # vLLM's own methods: a second engine in the process replaces them anew


@torch.library.custom_op("grouper::linear_with_adapter", mutates_args=())
def linear_with_adapter(
    x: torch.Tensor,
    rows: torch.Tensor,
    bias: torch.Tensor | None,
    stacked_b: Sequence[torch.Tensor],
    widths: Sequence[int],
) -> torch.Tensor:
    """x (N, in), rows (out + slices x r, in) -> (N, out + slices x r): x W^T + bias + x A^T B^T, then x A^T.

    stacked_b  each slice's B in the one slot, (1, 1, width, r), scaled; widths: their columns, one after the other
    """
    y = linear(x, rows, bias)
    out, start = sum(widths), 0
    for number, (b, width) in enumerate(zip(stacked_b, widths, strict=True)):
        rank = b.shape[-1]
        between = y[:, out + number * rank : out + (number + 1) * rank]
        y[:, start : start + width].addmm_(between, b[SLOT, 0].t())
        start += width
    return y


@linear_with_adapter.register_fake
def _(x: torch.Tensor, rows: torch.Tensor, *rest: Any) -> torch.Tensor:
    return x.new_empty(x.shape[0], rows.shape[0])


def put_rows_below(rank: int) -> None:
    """Makes the layers of the next engine of this process that way; `rank` is what its slot has room for."""
    from vllm.lora.layers.base_linear import BaseLinearLayerWithLoRA
    from vllm.model_executor.layers.linear import UnquantizedLinearMethod
    from vllm.v1.worker.lora_model_runner_mixin import LoRAModelRunnerMixin

    if rank % 8:  # fast products want rows of 16 bytes
        return
    create = ORIGINALS.setdefault("create_weights", UnquantizedLinearMethod.create_weights)
    load = ORIGINALS.setdefault("load_lora_model", LoRAModelRunnerMixin.load_lora_model)
    apply = ORIGINALS.setdefault("_apply_sync", BaseLinearLayerWithLoRA._apply_sync)

    def create_weights(self: Any, layer: Any, *args: Any, **kwargs: Any) -> None:
        create(self, layer, *args, **kwargs)
        asked = signature(create).bind(self, layer, *args, **kwargs).arguments
        make_room(layer, len(asked["output_partition_sizes"]) * rank)

    def load_lora_model(self: Any, *args: Any, **kwargs: Any) -> Any:
        model = load(self, *args, **kwargs)
        for module in model.modules():
            if hasattr(module, "lora_a_stacked"):
                move_in(module)
        torch.cuda.empty_cache()  # of what the rows have replaced
        return model

    def apply_sync(self: Any, x: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
        rows = getattr(self, ROWS, None)
        return apply(self, x, bias) if rows is None else product(self, x, bias)

    UnquantizedLinearMethod.create_weights = create_weights
    LoRAModelRunnerMixin.load_lora_model = load_lora_model
    BaseLinearLayerWithLoRA._apply_sync = apply_sync


def make_room(layer: Any, count: int) -> None:
    """So many rows of zeros below a new layer's weights."""
    out, columns = layer.weight.shape
    rows = layer.weight.data.new_zeros(out + count, columns)
    layer.weight.data = rows[:out]
    setattr(layer, ROWS, rows)


def move_in(module: Any) -> None:
    """A of each slice in those rows, zeros behind the bias; where weights and room are still as they were made."""
    base = module.base_layer
    rows, stacked = base.__dict__.get(ROWS), module.lora_a_stacked
    if rows is None or base.weight.data_ptr() != rows.data_ptr():
        return
    out, rank, slices = base.weight.shape[0], stacked[0].shape[2], len(stacked)
    if stacked[0].shape[0] != 1 or stacked[0].dtype != rows.dtype or rows.shape[0] != out + slices * rank:
        return
    module.lora_a_stacked = tuple(
        rows[out + n * rank : out + (n + 1) * rank].view(1, 1, rank, -1) for n in range(slices)
    )
    setattr(module, ROWS, rows)
    if base.bias is not None:
        module.adapter_bias = torch.cat([base.bias.data, base.bias.data.new_zeros(slices * rank)])
        base.bias.data = module.adapter_bias[:out]


def product(module: Any, x: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """What vLLM's layer with an adapter gives: (..., in) -> (..., out)."""
    longer = None if bias is None else module.adapter_bias
    slots, widths = list(module.lora_b_stacked), list(module.output_slices)
    flat = x if x.dim() == 2 else x.flatten(0, -2)
    y = linear_with_adapter(flat, getattr(module, ROWS), longer, slots, widths)[:, : sum(widths)]
    if not torch.compiler.is_compiling():
        y = y.contiguous()  # vLLM's own kernels, used where nothing is compiled, want it so
    return y if x.dim() == 2 else y.reshape(*x.shape[:-1], -1)
