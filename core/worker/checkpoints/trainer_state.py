"""The state of training at the end of a step, taken apart into tensors and JSON and put together again."""

import random
from typing import Any

import numpy as np
import torch

from core.worker.checkpoints.files import TrainingState

Values = dict[str, Any]


def capture(optimizer: torch.optim.Optimizer, scheduler: Any, **also: Any) -> TrainingState:
    """Optimizer, learning-rate schedule and random generators, and whatever else JSON can hold."""
    tensors: dict[str, torch.Tensor] = {}
    values: Values = {"scheduler": _plain(scheduler.state_dict()), **also}
    state = optimizer.state_dict()
    values["groups"] = _plain(state["param_groups"])
    values["slots"] = {}
    for parameter, slots in state["state"].items():
        for name, value in slots.items():
            if isinstance(value, torch.Tensor):
                tensors[f"optimizer.{parameter}.{name}"] = value.detach().cpu()
            else:
                values["slots"][f"{parameter}.{name}"] = value
    _capture_random(tensors, values)
    return TrainingState(tensors, values)


def restore(optimizer: torch.optim.Optimizer, scheduler: Any, kept: TrainingState) -> None:
    """The reverse of `capture`, less the random generators: those wait for the moment when training goes on."""
    state: dict[int, Values] = {}
    for key, tensor in kept.tensors.items():
        if key.startswith("optimizer."):
            _, parameter, name = key.split(".", 2)
            state.setdefault(int(parameter), {})[name] = tensor
    for key, value in kept.values["slots"].items():
        parameter, name = key.split(".", 1)
        state.setdefault(int(parameter), {})[name] = value
    groups = [
        {name: tuple(value) if name == "betas" else value for name, value in group.items()}
        for group in kept.values["groups"]
    ]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
    scheduler.load_state_dict(kept.values["scheduler"])


def restore_random(kept: TrainingState) -> None:
    """The global random generators as they were."""
    version, internal, gauss = kept.values["random"]
    random.setstate((version, tuple(internal), gauss))
    name, position, has_gauss, cached = kept.values["numpy"]
    np.random.set_state((name, kept.tensors["random.numpy"].numpy().astype(np.uint32), position, has_gauss, cached))
    torch.set_rng_state(kept.tensors["random.torch"])
    if torch.cuda.is_available() and "random.cuda" in kept.tensors:
        torch.cuda.set_rng_state(kept.tensors["random.cuda"])


def _capture_random(tensors: dict[str, torch.Tensor], values: Values) -> None:
    values["random"] = _plain(random.getstate())
    name, keys, position, has_gauss, cached = np.random.get_state(legacy=True)
    values["numpy"] = [name, int(position), int(has_gauss), float(cached)]
    tensors["random.numpy"] = torch.from_numpy(np.asarray(keys).astype(np.int64))
    tensors["random.torch"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors["random.cuda"] = torch.cuda.get_rng_state()


def _plain(value: Any) -> Any:
    """A value as JSON has it: tuples become lists, tensors of one number that number."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return value.item() if isinstance(value, torch.Tensor) else value
