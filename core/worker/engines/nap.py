"""Giving the KV cache back while the trainer works, and taking it again. GPU only; the weights stay where they are."""

from importlib.metadata import version
from typing import Any

from core.errors import InvalidInput

KV_CACHE = "kv_cache"  # vLLM's name for these allocations


def check_can_nap() -> None:
    """Raises InvalidInput where vLLM can only sleep as a whole, its weights copied to the host and back each time."""
    from vllm.v1.engine.llm_engine import LLMEngine

    if not hasattr(LLMEngine, "release_kv_cache_memory"):
        problem = f"but vLLM {version('vllm')} cannot give its KV cache back alone"
        raise InvalidInput("sleep_kv_cache", True, problem, "install vLLM 0.31, or set sleep_kv_cache to false")


def give_back(llm: Any) -> None:
    """Frees the KV cache's memory; its addresses stay reserved, so captured CUDA graphs remain valid."""
    llm.sleep(level=0)
    llm.llm_engine.release_kv_cache_memory()


def take_again(llm: Any) -> None:
    """Memory for the KV cache again; what it held is gone."""
    llm.wake_up(tags=[KV_CACHE])


def kv_cache_bytes(llm: Any) -> int:
    """What `give_back` frees, by the tags that vLLM's allocator keeps."""
    return int(llm.collective_rpc(_kv_cache_bytes)[0])


def _kv_cache_bytes(worker: Any) -> int:
    from vllm.device_allocator.cumem import CuMemAllocator

    allocations = CuMemAllocator.get_instance().pointer_to_data.values()
    return sum(held.handle[1] for held in allocations if held.tag == KV_CACHE)
