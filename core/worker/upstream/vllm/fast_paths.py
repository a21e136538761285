"""The ways in which a vLLM that is known is made faster for one adapter and whole rollouts. Where the shelf says that
it is another, each is left out, and the engine is vLLM's own."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from core.worker.upstream.shims import works


def serve_one_adapter(rank: int, on_cpu: bool) -> None:
    """Plain products for the one adapter there is. Before an engine with one slot for this rank starts."""
    if works("PunicaWrapper.add_lora_linear"):
        from core.worker.upstream.vllm.one_adapter import replace_lora_products

        replace_lora_products()
    if not on_cpu and works("BaseLinearLayerWithLoRA._apply_sync"):
        from core.worker.upstream.vllm.adapter_rows import put_rows_below

        put_rows_below(rank)


def scheduling(on_cpu: bool) -> dict[str, Any]:
    """Arguments for vLLM's LLM: our scheduler, which plans the steps of a rollout in one pass."""
    if not works("Scheduler"):
        return {}
    from core.worker.upstream.vllm.rollout_scheduler import AsyncRolloutScheduler, RolloutScheduler

    if on_cpu:
        return {"scheduler_cls": RolloutScheduler}
    return {"scheduler_cls": AsyncRolloutScheduler, "async_scheduling": True}


def taking(scheduler: Any) -> Callable[[], list[Any]] | None:
    """What hands out the rollouts of our scheduler; None for vLLM's own, whose outputs hold them."""
    return getattr(scheduler, "take", None)


def patch_cpu(llm: Any, draw: Callable[..., Any]) -> Iterator[str]:
    """Faster kernels in the CPU worker of an engine that is up; says what could not be made faster."""
    if works("RMSNorm.forward") and works("TopKTopPSampler.forward"):
        from core.worker.upstream.vllm.cpu_kernels import patch_cpu_kernels

        for notices in llm.collective_rpc(partial(patch_cpu_kernels, draw=draw)):
            yield from notices
