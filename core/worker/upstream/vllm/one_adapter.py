"""vLLM's adapter slot for the one adapter that there is: plain matrix products instead of kernels for many.

vLLM's LoRA kernels look up for every token which of many adapters it wants. Here every token wants the same one, and
the lookup costs more than the product: on an H100 60 microseconds a layer's matrix where two products take 15, which
was two fifths of a 7B model's decode step; on a CPU the adapter is copied out once for every token.
"""

from collections.abc import Sequence
from typing import Any

import torch
from vllm.platforms import current_platform
from vllm.utils.import_utils import resolve_obj_by_qualname

SLOT = 0  # the engine is started with room for one adapter; an empty slot holds zeros


def add_to(
    y: torch.Tensor,
    x: torch.Tensor,
    stacked_a: Sequence[torch.Tensor],
    stacked_b: Sequence[torch.Tensor],
    widths: Sequence[int],
    scale: float,
) -> None:
    """y (N, out) += scale x A^T B^T in place, for each slice of y's columns, `widths` of them one after the other.

    stacked_a, stacked_b  a slice's matrices in every slot, (slots, 1, r, in) and (slots, 1, width, r)
    """
    start = 0
    for a, b, width in zip(stacked_a, stacked_b, widths, strict=True):
        between = x @ a[SLOT, 0].t()  # (N, r)
        y[:, start : start + width].addmm_(between, b[SLOT, 0].t(), alpha=scale)
        start += width


@torch.library.custom_op("grouper::add_adapter", mutates_args=("y",))
def compiled_add_to(
    y: torch.Tensor,
    x: torch.Tensor,
    stacked_a: Sequence[torch.Tensor],
    stacked_b: Sequence[torch.Tensor],
    widths: Sequence[int],
    scale: float,
) -> None:
    """The same, opaque to the compiler, which would copy y for every slice."""
    add_to(y, x, stacked_a, stacked_b, widths, scale)


def replace_lora_products() -> None:
    """Before an engine with one slot starts in this process."""
    wrapper = resolve_obj_by_qualname(current_platform.get_punica_wrapper())
    wrapper.add_lora_linear = replacement(wrapper.add_lora_linear)


def replacement(original: Any) -> Any:
    """vLLM's `add_lora_linear` for one slot; what it cannot serve goes to the original."""

    def add_lora_linear(
        self: Any,
        y: torch.Tensor,
        x: torch.Tensor,
        lora_a_stacked: Sequence[torch.Tensor],
        lora_b_stacked: Sequence[torch.Tensor],
        scale: float,
        output_slices: Sequence[int],
        *,
        buffer: Any = None,
        **kwargs: Any,
    ) -> None:
        if not kwargs.get("add_inputs", True) or lora_a_stacked[0].shape[0] != 1:
            original(self, y, x, lora_a_stacked, lora_b_stacked, scale, output_slices, buffer=buffer, **kwargs)
            return
        add = compiled_add_to if torch.compiler.is_compiling() else add_to
        rows, columns = x.view(-1, x.shape[-1]), y.view(-1, y.shape[-1])
        add(columns, rows, list(lora_a_stacked), list(lora_b_stacked), list(output_slices), scale)

    return add_lora_linear
