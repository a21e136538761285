"""How PEFT's LoRA layers take their input."""

from collections.abc import Iterable
from typing import Any


def keep_input_dtype(policy: Any) -> None:
    """No copies of the layers' inputs in the adapter's fp32, which autocast would copy back to bf16: the same numbers,
    at a quarter of a CPU's forward pass. The plan does not count these copies."""
    layers: Iterable[Any] = policy.modules()
    for module in layers:
        if hasattr(module, "cast_input_dtype_enabled"):
            module.cast_input_dtype_enabled = False
