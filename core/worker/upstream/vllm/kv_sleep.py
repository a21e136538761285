"""Giving the KV cache back while the trainer works, and taking it again. GPU only; the weights stay where they are.

vLLM 0.31 can do this itself, older ones sleep only as a whole, their weights copied to the host and back each time. All
of them keep the cache in allocations of their own with addresses that stay reserved, so captured CUDA graphs remain
valid; those are given back and taken again here.
"""

from importlib.metadata import version
from typing import Any

import torch

from core.errors import InvalidInput

KV_CACHE = "kv_cache"  # vLLM's name for these allocations


def check_can_sleep() -> None:
    """Raises InvalidInput where vLLM came without the allocator that can do it."""
    from vllm.device_allocator.cumem import cumem_available

    if not cumem_available:
        problem = f"but this build of vLLM {version('vllm')} cannot give memory back"
        raise InvalidInput("sleep_kv_cache", True, problem, "set sleep_kv_cache to false")


def sleep(llm: Any) -> None:
    """Frees the KV cache's memory."""
    llm.collective_rpc(_unmap)


def wake_up(llm: Any) -> None:
    """Memory for the KV cache again; what it held is gone."""
    torch.cuda.empty_cache()  # what the trainer let go of, torch would keep: the cache may need that very place
    torch.cuda.reset_peak_memory_stats()  # and a peak from before would be counted on top of the cache
    llm.collective_rpc("wake_up", kwargs={"tags": [KV_CACHE]})  # of its worker, which also mends its block tables
    llm.collective_rpc(_clear)


def kv_cache_bytes(llm: Any) -> int:
    """What `sleep` frees, by the tags that vLLM's allocator keeps."""
    return int(llm.collective_rpc(_kv_cache_bytes)[0])


def _kv_cache_bytes(worker: Any) -> int:
    return sum(held.handle[1] for held in _allocations())


def _unmap(worker: Any) -> None:
    from vllm.device_allocator.cumem import unmap_and_release

    torch.cuda.synchronize()  # nothing may still be reading
    for held in _allocations():
        unmap_and_release(held.handle)
        held.is_asleep = True


@torch.inference_mode()
def _clear(worker: Any) -> None:
    for cache in worker.model_runner.kv_caches:
        cache.zero_()  # what lies in new memory may read as NaN, and zero times NaN is NaN


def _allocations() -> list[Any]:
    from vllm.device_allocator.cumem import CuMemAllocator

    return [held for held in CuMemAllocator.get_instance().pointer_to_data.values() if held.tag == KV_CACHE]
