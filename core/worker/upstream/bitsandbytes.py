"""Weights that bitsandbytes holds in four bits."""

from collections.abc import Iterable
from typing import Any

import torch


def keep_layout(model: Any) -> None:
    """No repacking for inference at a layer's first forward without gradient: what is dequantised from a repacked layer
    for the engine is noise."""
    layers: Iterable[Any] = model.modules()
    for module in layers:
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False


def dequantized(weight: torch.Tensor) -> torch.Tensor:
    """The weight as numbers, whether it is held in four bits or not."""
    state = getattr(weight, "quant_state", None)
    if state is None:
        return weight
    from bitsandbytes.functional import dequantize_4bit

    found: torch.Tensor = dequantize_4bit(weight.data, state)
    return found
