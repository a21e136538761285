"""vLLM in the worker's own process, fed merged weights."""

import logging
from typing import Any

import torch
from peft import PeftModel
from vllm import LLM, SamplingParams
from vllm.platforms import current_platform

from core.budget.constants import CPU_BLOCK_TOKENS
from core.config import RunConfig
from core.worker.engines.cpu_ops import quicken
from core.worker.engines.engine import Sample, Sampling, kept_random_state, seed_everything
from core.worker.engines.merge import merged_weights

# vLLM runs at most this many sequences together; more wait their turn inside it.
MOST_SEQUENCES = 256


class VllmEngine:
    """Paged KV cache and continuous batching; the adapter arrives as merged weights, pushed in place."""

    name = "vllm"
    notice = ""

    def __init__(self, config: RunConfig, folder: str, device: torch.device) -> None:
        on_cpu = device.type == "cpu"
        # Inductor needs more than a minute to compile for a CPU and gains a third; a run would not earn that back.
        memory: dict[str, Any] = (
            {"enforce_eager": True, "block_size": CPU_BLOCK_TOKENS}
            if on_cpu
            else {"gpu_memory_utilization": config.gpu_memory_utilization}
        )
        self._llm = LLM(
            model=folder,
            dtype="bfloat16",
            max_model_len=config.prompt_tokens + config.completion_tokens,
            max_num_seqs=min(config.batch_size, MOST_SEQUENCES),
            seed=config.seed,
            generation_config="vllm",  # the config decides how to sample, not a file beside the weights
            logprobs_mode="processed_logprobs",  # of the distribution that was sampled: temperature and cuts included
            disable_log_stats=True,
            trust_remote_code=False,
            **memory,
        )
        # Each partial push would warn about the layers it leaves alone (embeddings and norms carry no adapter).
        logging.getLogger("vllm.model_executor.model_loader.reload.layerwise").setLevel(logging.ERROR)
        logging.getLogger("vllm.v1.worker.gpu_model_runner").setLevel(logging.ERROR)
        if on_cpu:
            self._llm.collective_rpc(quicken)
        self._policy: PeftModel | None = None

    def connect(self, policy: PeftModel) -> None:
        self._policy = policy

    def sync(self) -> None:
        assert self._policy is not None
        self._llm.collective_rpc("reload_weights", kwargs={"weights_iterator": merged_weights(self._policy)})
        self._llm.reset_prefix_cache()  # it holds keys and values of the weights before

    def generate(self, prompts: list[list[int]], group_size: int, sampling: Sampling) -> list[list[Sample]]:
        parameters = SamplingParams(
            n=group_size,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            top_k=sampling.top_k,
            max_tokens=sampling.max_tokens,
            logprobs=0,
        )
        with kept_random_state():
            # One draw from the global generator for the whole batch; a seed in each request samples row by row.
            self._llm.reset_prefix_cache()
            seed_everything(sampling.seed)
            outputs = self._llm.generate([{"prompt_token_ids": ids} for ids in prompts], parameters, use_tqdm=False)
        return [[_sample(completion) for completion in output.outputs] for output in outputs]

    def close(self) -> None:
        self._llm.llm_engine.engine_core.shutdown()


def serves_cpu() -> bool:
    """Whether the installed vLLM is the build for CPUs."""
    return bool(current_platform.is_cpu())


def _sample(completion: Any) -> Sample:
    ids = tuple(completion.token_ids)
    return Sample(
        token_ids=ids,
        logprobs=tuple(chosen[token].logprob for chosen, token in zip(completion.logprobs, ids, strict=True)),
        finish_reason=completion.finish_reason or "length",
    )
