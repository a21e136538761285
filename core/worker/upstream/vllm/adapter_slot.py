"""The matrices of the one adapter slot, written and emptied in the engine's own memory."""

from collections.abc import Callable, Collection
from typing import Any

import torch

from core.worker.upstream.vllm.one_adapter import SLOT

# A layer's (A, B times the scale), (None, None) where it carries no adapter.
Matrices = tuple[torch.Tensor | None, torch.Tensor | None]


@torch.inference_mode()
def empty_slot(model: Any) -> None:
    """An adapter of zeros, which changes nothing."""
    for module in model.modules():
        if hasattr(module, "lora_a_stacked") and hasattr(module, "reset_lora"):
            module.reset_lora(SLOT)


@torch.inference_mode()
def write_slot(model: Any, adapted: Collection[str], matrices: Callable[[str], Matrices]) -> None:
    """Sets each adapted layer's matrices in the slot, as vLLM itself does when it activates an adapter.

    adapted   names in the base checkpoint
    matrices  a name -> what its layer adds; asked for one layer after the other, since B's copies need memory

    Raises LookupError when one of the layers has no place in the engine.
    """
    left = set(adapted)
    for name, module in model.named_modules():
        if not hasattr(module, "lora_a_stacked"):
            continue
        parent, _, own = name.rpartition(".")
        parts = model.packed_modules_mapping.get(own, [own])
        names = [f"{parent}.{part}" for part in parts]
        if not left & set(names):
            continue
        a, b = zip(*(matrices(part) for part in names), strict=True)
        module.set_lora(SLOT, list(a) if len(parts) > 1 else a[0], list(b) if len(parts) > 1 else b[0])
        left -= set(names)
    if left:
        raise LookupError(f"the engine has no slot for {', '.join(sorted(left)[:3])}")
