"""The adapter merged into the engine's own weights."""

from collections.abc import Iterator
from typing import Any

import torch
from peft import PeftModel

from core.worker.engines.adapter_sync.merging import base_weights, merged_weights, projection_shapes
from core.worker.upstream.vllm.llm import reload_weights
from core.worker.upstream.vllm.weight_views import weight_views


class MergedWeights:
    """The adapter merged into the base weights, all of them sent to the engine by `_send`."""

    name = "merged"

    def __init__(self, llm: Any) -> None:
        self._llm = llm

    def connect(self, policy: PeftModel) -> None:
        self._policy = policy

    def push(self) -> None:
        self._send(merged_weights(self._policy))

    def leave(self) -> None:
        self._send(base_weights(self._policy))

    def request(self) -> None:
        return None

    def _send(self, weights: Iterator[tuple[str, torch.Tensor]]) -> None:
        raise NotImplementedError


class ReloadedWeights(MergedWeights):
    """Through vLLM's own weight loader, which knows every layout; the only way in on a CPU."""

    def _send(self, weights: Iterator[tuple[str, torch.Tensor]]) -> None:
        reload_weights(self._llm, weights)


class WrittenWeights(MergedWeights):
    """Straight into the engine's matrices: nothing is allocated, CUDA graphs stay valid."""

    def __init__(self, llm: Any) -> None:
        super().__init__(llm)
        self._views: dict[str, torch.Tensor] = {}

    @torch.inference_mode()
    def _send(self, weights: Iterator[tuple[str, torch.Tensor]]) -> None:
        if not self._views:
            shapes = projection_shapes(self._policy)
            [self._views] = self._llm.apply_model(lambda model: weight_views(model, shapes))
        for name, weight in weights:
            self._views[name].copy_(weight)
        torch.cuda.synchronize()  # so that what sync is said to take is what it takes
