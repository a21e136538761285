"""The trainer's base model made of the engine's own weights: one copy on the GPU."""

from typing import Any, cast

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from core.errors import InvalidInput
from core.worker.engines.engine import InferenceEngine

REMEDY = "set share_weights to false"


def share_base(folder: str, engine: InferenceEngine) -> torch.nn.Module:
    """The base model in bf16, every weight of it a view into the engine's memory.

    Nothing may write into them: the trainer's base is frozen, and the engine follows the adapter through its slot.
    Raises InvalidInput where the engine keeps a weight in a layout of its own.
    """
    shapes_of = getattr(engine, "weight_views", None)
    if shapes_of is None:
        raise InvalidInput("share_weights", True, "which needs the vLLM engine", REMEDY)
    with torch.device("meta"):
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16, attn_implementation="sdpa")
    try:
        views = shapes_of({name: parameter.shape for name, parameter in model.named_parameters()})
    except LookupError as error:
        raise InvalidInput("share_weights", True, f"but {error}", REMEDY) from error
    for name, view in views.items():
        _put(model, name, torch.nn.Parameter(view.detach(), requires_grad=False))
    model.tie_weights()
    _make_buffers(model, next(iter(views.values())).device)
    model.eval()
    return cast(torch.nn.Module, model)


def _put(model: Any, name: str, parameter: torch.nn.Parameter) -> None:
    path, _, own = name.rpartition(".")
    setattr(model.get_submodule(path), own, parameter)


def _make_buffers(model: Any, device: torch.device) -> None:
    """Rotary tables are computed, not loaded: modules that hold them are built again on the device."""
    for path, module in list(model.named_modules()):
        if any(buffer.is_meta for buffer in module.buffers(recurse=False)):
            parent, _, own = path.rpartition(".")
            try:
                fresh = type(module)(config=model.config).to(device)
            except TypeError as error:
                problem = f"but {type(module).__name__} cannot be built apart from its weights"
                raise InvalidInput("share_weights", True, problem, REMEDY) from error
            setattr(model.get_submodule(parent), own, fresh)
