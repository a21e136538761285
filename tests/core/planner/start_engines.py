"""Start vLLM on tiny random models, one after another, and print what it made of its memory.

Run as a program: cases as a JSON list on stdin, one line "RESULT {...}" a case on stdout. It sets the engine's
environment itself, so it is never imported.
"""

import json
import os
import sys
import tempfile
from typing import Any

os.environ |= {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_CPU_OMP_THREADS_BIND": "0-1",
    "VLLM_LOGGING_LEVEL": "CRITICAL",
    "HF_HUB_OFFLINE": "1",
}
os.environ.pop("VLLM_CPU_KVCACHE_SPACE", None)

import torch
from transformers import AutoConfig, AutoModelForCausalLM
from vllm import LLM

SLOT_BUFFERS = ("lora_a_stacked", "lora_b_stacked")


def start(case: dict[str, Any]) -> dict[str, Any]:
    shape = dict(case["config"])
    with tempfile.TemporaryDirectory() as folder:
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(shape.pop("model_type"), **shape))
        model.to(torch.bfloat16).save_pretrained(folder)
        try:
            llm = LLM(model=folder, skip_tokenizer_init=True, dtype="bfloat16", enforce_eager=True, **case["engine"])
        except ValueError as error:
            return {"refused": str(error)}
    core = llm.llm_engine.engine_core.engine_core
    config = llm.llm_engine.vllm_config
    return {
        "blocks": config.cache_config.num_gpu_blocks,
        "tokens": config.cache_config.kv_cache_size_tokens,
        "block_tokens": config.cache_config.block_size,
        "in_flight_tokens": config.max_in_flight_tokens,
        "groups": [len(group.layer_names) for group in core.scheduler.kv_cache_config.kv_cache_groups],
        "slot_bytes": slot_bytes(core.model_executor.driver_worker.worker.model_runner.model),
    }


def slot_bytes(model: torch.nn.Module) -> int:
    """Bytes of all adapter slots."""
    total = 0
    for module in model.modules():
        for name in SLOT_BUFFERS:
            stacked = getattr(module, name, None)
            tensors = stacked if isinstance(stacked, (tuple, list)) else () if stacked is None else (stacked,)
            total += sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    return total


if __name__ == "__main__":
    for given in json.load(sys.stdin):
        sys.stdout.write(f"RESULT {json.dumps(start(given))}\n")
        sys.stdout.flush()
