"""Giving the KV cache back while the trainer works, and taking it again. GPU only; the weights stay where they are."""

from typing import Any

KV_CACHE = "kv_cache"  # vLLM's name for these allocations


def give_back(llm: Any) -> None:
    """Frees the KV cache's memory; its addresses stay reserved, so captured CUDA graphs remain valid."""
    if hasattr(llm.llm_engine, "release_kv_cache_memory"):
        llm.sleep(level=0)
        llm.llm_engine.release_kv_cache_memory()
    else:
        llm.reset_prefix_cache()
        llm.collective_rpc(_unmap)


def take_again(llm: Any) -> None:
    """Memory for the KV cache again; what it held is gone."""
    if hasattr(llm.llm_engine, "release_kv_cache_memory"):
        llm.wake_up(tags=[KV_CACHE])
    else:
        llm.collective_rpc(_map)


def kv_cache_bytes(llm: Any) -> int:
    """What `give_back` frees."""
    return int(llm.collective_rpc(_size)[0])


# vLLM before release_kv_cache_memory only sleeps as a whole, its weights copied to the host and back. Its allocator
# keeps a tag with every allocation, which is all that the newer call uses.


def _unmap(worker: Any) -> None:
    import torch
    from vllm.device_allocator.cumem import unmap_and_release

    torch.cuda.synchronize()
    for held in _allocations():
        unmap_and_release(held.handle)
        held.is_asleep = True


def _map(worker: Any) -> None:
    from vllm.device_allocator.cumem import CuMemAllocator

    CuMemAllocator.get_instance().wake_up([KV_CACHE])


def _size(worker: Any) -> int:
    return sum(held.handle[1] for held in _allocations())


def _allocations() -> list[Any]:
    from vllm.device_allocator.cumem import CuMemAllocator

    allocations = CuMemAllocator.get_instance().pointer_to_data.values()
    return [held for held in allocations if held.tag == KV_CACHE]
