"""The type of number that a device computes in: base weights, matrix products, the engine and its KV cache."""

import torch

from core.host import multiplies_bf16

NAMES = {torch.bfloat16: "bf16", torch.float32: "fp32"}


def compute_dtype(device: torch.device) -> torch.dtype:
    """bfloat16, but float32 on a CPU that has no instructions for products of bf16 numbers."""
    return torch.bfloat16 if device.type != "cpu" or multiplies_bf16() else torch.float32


def compute_notice(device: torch.device) -> str:
    """What people should know about it, "" where there is nothing to say."""
    if compute_dtype(device) == torch.bfloat16:
        return ""
    return "This CPU has no instructions for bf16 products, so everything is computed in fp32, at 4 bytes a weight."


def autocast(device: torch.device) -> torch.autocast:
    """Products in that type, whatever the adapter's own; nothing to cast where both are fp32."""
    return torch.autocast(device.type, torch.bfloat16, enabled=compute_dtype(device) == torch.bfloat16)
