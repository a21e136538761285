"""The adapter in a slot of the engine, beside base weights that nothing touches."""

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from peft.tuners.lora import LoraLayer
from safetensors.torch import save_file
from vllm.lora.request import LoRARequest

from core.worker.dtype import compute_dtype
from core.worker.engines.adapter_sync.merging import adapted_layers
from core.worker.upstream.vllm.adapter_slot import Matrices, empty_slot, write_slot

MEMORY_DISK = Path("/dev/shm")


class AdapterSlot:
    """Hands the adapter over as files: each version has a name, a number and a folder of its own.

    vLLM's caches go by name and path, never by content, so a version that reused them could be answered from the one
    before. The engine reads a version once, so its files are gone when `push` returns, whatever happens later.
    """

    name = "slot"

    def __init__(self, llm: Any) -> None:
        self._llm = llm
        self._version = 0
        self._current: LoRARequest | None = None

    def connect(self, policy: PeftModel) -> None:
        self._policy = policy

    def push(self) -> None:
        self.leave()
        self._version += 1
        tensors = self._tensors()
        nbytes = sum(value.numel() * value.element_size() for value in tensors.values())
        with tempfile.TemporaryDirectory(prefix="grouper-adapter-", dir=_memory_disk(nbytes)) as path:
            save_file(tensors, Path(path) / "adapter_model.safetensors")
            settings = self._policy.peft_config["default"].to_dict()
            (Path(path) / "adapter_config.json").write_text(json.dumps(settings, default=_as_list), encoding="utf-8")
            self._current = LoRARequest(f"version-{self._version}", self._version, path)
            self._llm.llm_engine.add_lora(self._current)

    def leave(self) -> None:
        if self._current is not None:
            self._llm.llm_engine.remove_lora(self._current.lora_int_id)
            self._llm.apply_model(empty_slot)  # vLLM leaves the matrices there, and they are added to every token
            self._current = None

    def request(self) -> LoRARequest | None:
        return self._current

    def _tensors(self) -> dict[str, torch.Tensor]:
        """The adapter under PEFT's own names, in what the engine computes in."""
        return {
            name.replace(".default.", "."): parameter.detach().to(compute_dtype(parameter.device))
            for name, parameter in self._policy.named_parameters()
            if ".lora_A.default." in name or ".lora_B.default." in name
        }


class WrittenSlot(AdapterSlot):
    """The first version as files, which makes the engine set up the slot; later ones are written into it on the GPU.

    A rank-64 adapter of a 7B model is 300 MB: through files and host memory it takes most of a second, from one place
    on the GPU to another a few milliseconds. Nothing can answer from an older version, since the prefix cache is
    emptied before every batch.
    """

    def push(self) -> None:
        if self._current is None:
            super().push()
        layers = adapted_layers(self._policy)
        self._llm.apply_model(lambda model: write_slot(model, layers, lambda name: _matrices(layers.get(name))))
        if torch.cuda.is_available():
            torch.cuda.synchronize()  # so that what sync is said to take is what it takes


def _matrices(layer: LoraLayer | None) -> Matrices:
    """(A, B times the scale), as the engine keeps them."""
    if layer is None:
        return None, None
    return layer.lora_A["default"].weight, layer.lora_B["default"].weight * layer.scaling["default"]


def _memory_disk(nbytes: int) -> Path | None:
    """A folder in memory with room for this much, else None: the system's own place for temporary files."""
    return MEMORY_DISK if MEMORY_DISK.is_dir() and shutil.disk_usage(MEMORY_DISK).free > 2 * nbytes else None


def _as_list(value: Any) -> Any:
    return sorted(value) if isinstance(value, set) else str(value)
