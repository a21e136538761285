"""What an LLM in this process has inside, for the engine that drives it."""

import logging
from collections.abc import Iterator
from typing import Any

import torch
from vllm.platforms import current_platform

# A push of the projections alone would warn about the layers it leaves out: embeddings and norms carry no adapter.
CHATTY = ("vllm.model_executor.model_loader.reload.layerwise", "vllm.v1.worker.gpu_model_runner")


def serves_cpu() -> bool:
    """Whether the installed vLLM is the build for CPUs."""
    return bool(current_platform.is_cpu())


def scheduler_of(llm: Any) -> Any:
    return llm.llm_engine.engine_core.engine_core.scheduler


def quieten() -> None:
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.ERROR)


def is_quantized(llm: Any) -> bool:
    """Whether the engine's own weights are."""
    return bool(llm.llm_engine.model_config.quantization)


def reload_weights(llm: Any, weights: Iterator[tuple[str, torch.Tensor]]) -> None:
    """Puts (name in the base checkpoint, weight) through the engine's own loader, which knows every layout."""
    llm.collective_rpc("reload_weights", kwargs={"weights_iterator": weights})


def shut_down(llm: Any) -> None:
    llm.llm_engine.engine_core.shutdown()
