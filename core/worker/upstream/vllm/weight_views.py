"""Where the engine keeps each weight of the base checkpoint.

vLLM holds q, k, v and gate, up as rows of one matrix each and may round the vocabulary up. A view is the part of such a
tensor that belongs to one name of the checkpoint: written to, the engine changes; held by the trainer, both share it.
"""

from collections.abc import Mapping
from typing import Any

import torch

Shapes = Mapping[str, torch.Size]


def weight_views(model: Any, shapes: Shapes) -> dict[str, torch.Tensor]:
    """For each checkpoint name of `shapes` the engine's own memory, in that shape.

    model  vLLM's, on one GPU, its layers in the plain (out, in) layout

    Raises LookupError for a name that the engine keeps in another layout or not at all.
    """
    held = {name.replace(".base_layer.", "."): parameter.data for name, parameter in model.named_parameters()}
    fused = {part: (whole, parts) for whole, parts in model.packed_modules_mapping.items() for part in parts}
    return {name: _view(name, shapes, held, fused) for name in shapes}


def _view(
    name: str, shapes: Shapes, held: Mapping[str, torch.Tensor], fused: Mapping[str, tuple[str, list[str]]]
) -> torch.Tensor:
    if name in held:
        found, start = held[name], 0
    else:
        path, _, kind = name.rpartition(".")  # kind: weight or bias
        parent, _, part = path.rpartition(".")
        whole, parts = fused.get(part, ("", []))
        found = held.get(f"{parent}.{whole}.{kind}", torch.empty(0))
        before = parts[: parts.index(part)] if parts else []
        start = sum(shapes[f"{parent}.{other}.{kind}"][0] for other in before)
    view = found[start : start + shapes[name][0]]
    if view.shape != shapes[name]:
        raise LookupError(f"the engine does not keep {name} as {tuple(shapes[name])}")
    return view
