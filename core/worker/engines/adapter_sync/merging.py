"""The policy's weights with the adapter merged in, built beside the base and never inside it."""

from collections.abc import Iterator
from typing import Any

import torch
from peft import PeftModel
from peft.tuners.lora import LoraLayer

from core.worker.dtype import compute_dtype
from core.worker.upstream.bitsandbytes import dequantized

PREFIX = "base_model.model."


def merged_weights(policy: PeftModel) -> Iterator[tuple[str, torch.Tensor]]:
    """(name in the base checkpoint, W + lora_alpha / r * B A) for each linear layer of the decoder.

    Every projection is sent, with an adapter or without: the engine fuses q, k, v and gate, up into one matrix each
    and takes them only whole. Merging and unmerging in place would round the base itself a little further every step.
    """
    for name, module in _projections(policy):
        yield name, merged(module) if isinstance(module, LoraLayer) else module.weight.detach()


def base_weights(policy: PeftModel) -> Iterator[tuple[str, torch.Tensor]]:
    """The same names with the base weights alone, as the trainer computes with them."""
    for name, module in _projections(policy):
        weight = base_weight(module) if isinstance(module, LoraLayer) else module.weight
        yield name, weight.detach().to(compute_dtype(weight.device))


def projection_shapes(policy: PeftModel) -> dict[str, torch.Size]:
    """(out, in) of each of them."""
    linear = {
        name: module.get_base_layer() if isinstance(module, LoraLayer) else module
        for name, module in _projections(policy)
    }
    return {name: torch.Size((module.out_features, module.in_features)) for name, module in linear.items()}


@torch.no_grad()
def merged(layer: LoraLayer, adapter: str = "default") -> torch.Tensor:
    """(out, in) in what the device computes in: the base weight of one layer with its adapter added.

    A and B are rounded to that first, as autocast does in the trainer; the product adds up in fp32.
    """
    a, b = layer.lora_A[adapter].weight, layer.lora_B[adapter].weight
    dtype = compute_dtype(a.device)
    return torch.add(base_weight(layer).to(dtype), b.to(dtype) @ a.to(dtype), alpha=layer.scaling[adapter])


def base_weight(layer: LoraLayer) -> torch.Tensor:
    """The layer's own weight, dequantised when it is held in four bits."""
    return dequantized(layer.get_base_layer().weight)


def adapted_layers(policy: PeftModel) -> dict[str, LoraLayer]:
    """The layers that carry an adapter, by their names in the base checkpoint."""
    return {
        name.removeprefix(PREFIX): module for name, module in policy.named_modules() if isinstance(module, LoraLayer)
    }


def _projections(policy: PeftModel) -> Iterator[tuple[str, Any]]:
    for name, module in policy.named_modules():
        if isinstance(module, LoraLayer) or _is_plain_projection(name, module):
            yield f"{name.removeprefix(PREFIX)}.weight", module


def _is_plain_projection(name: str, module: torch.nn.Module) -> bool:
    inside_adapter = ".base_layer" in name or ".lora_" in name
    return isinstance(module, torch.nn.Linear) and ".layers." in name and not inside_adapter
