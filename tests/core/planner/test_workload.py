"""Bad input: each gets one sentence that names the field, the value and the remedy."""

from typing import Any

import pytest

from core.catalogue import GpuProfile, load_catalogue
from core.config.run_config import LINEAR_MODULES
from core.errors import InvalidInput
from core.planner import Workload, geometry_from_config, plan

CATALOGUE = load_catalogue()
SMALL = geometry_from_config(CATALOGUE.find_model("smollm2-135m").geometry, "smollm2-135m")

ALONE: list[tuple[str, dict[str, Any]]] = [
    ("rank", {"rank": -8}),
    ("rank", {"rank": 0}),
    ("rank", {"rank": 16.5}),
    ("rank", {"rank": True}),
    ("rank", {"rank": 600}),
    ("rank", {"rank": 10**9}),
    ("max_lora_rank", {"rank": 64, "max_lora_rank": 32}),
    ("max_lora_rank", {"max_lora_rank": 96}),
    ("target_modules", {"target_modules": ()}),
    ("target_modules", {"target_modules": "q_proj"}),
    ("target_modules", {"target_modules": ("q_proj", "lm_head")}),
    ("quantization", {"quantization": "int4"}),
    ("optim", {"optim": "sgd"}),
    ("head", {"head": None}),
    ("gradient_checkpointing", {"gradient_checkpointing": 1}),
    ("gpu_memory_utilization", {"gpu_memory_utilization": 0}),
    ("gpu_memory_utilization", {"gpu_memory_utilization": 1.5}),
    ("gpu_memory_utilization", {"gpu_memory_utilization": float("nan")}),
    ("kv_cache_bytes", {"kv_cache_bytes": -1}),
    ("kv_cache_bytes", {"kv_cache_bytes": 2**60}),
    ("group_size", {"group_size": 1}),
    ("prompts_per_step", {"prompts_per_step": 60_000, "group_size": 64}),
    ("prompt_tokens", {"prompt_tokens": 0}),
    ("completion_tokens", {"completion_tokens": 10**8}),
    ("per_device_train_batch_size", {"per_device_train_batch_size": 12}),
    ("share_weights", {"share_weights": True, "adapter_sync": "merged"}),
    ("share_weights", {"share_weights": True, "quantization": "nf4"}),
    ("engine_dtype", {"adapter_sync": "merged", "engine_dtype": "nf4"}),
]


@pytest.mark.parametrize(("field", "values"), ALONE, ids=lambda value: str(value)[:50])
def test_a_setting_that_cannot_be(field: str, values: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as refused:
        Workload(**values)
    _is_one_sentence_about(field, refused.value)


TOGETHER: list[tuple[str, str, dict[str, Any]]] = [
    ("rank", "t4", {"rank": 512, "max_lora_rank": 512} | {"target_modules": LINEAR_MODULES}),
    ("completion_tokens", "t4", {"completion_tokens": 8192}),
    ("sleep_kv_cache", "cpu", {"sleep_kv_cache": True}),
    ("engine_dtype", "cpu", {"engine_dtype": "fp8"}),
]


@pytest.mark.parametrize(("field", "gpu", "values"), TOGETHER, ids=lambda value: str(value)[:50])
def test_a_setting_that_this_model_or_gpu_cannot_have(field: str, gpu: str, values: dict[str, Any]) -> None:
    narrow = geometry_from_config({**CATALOGUE.find_model("smollm2-135m").geometry, "hidden_size": 288}, "narrow")
    with pytest.raises(InvalidInput) as refused:
        plan(narrow, CATALOGUE.gpu(gpu), Workload(**values))
    _is_one_sentence_about(field, refused.value)


def test_a_gpu_without_memory_is_refused() -> None:
    with pytest.raises(InvalidInput, match="`gpu` is 'none'"):
        plan(SMALL, GpuProfile("none", "none", 0, "cuda", bf16=True), Workload())


def test_contradictions_of_the_engine_do_not_matter_without_one() -> None:
    Workload(fast_inference="off", rank=600, adapter_sync="merged", engine_dtype="nf4")


def test_derived_numbers() -> None:
    workload = Workload(rank=24, prompts_per_step=4, group_size=8, prompt_tokens=100, completion_tokens=50)
    assert (workload.micro_batch, workload.engine_rank, workload.engine_sequences) == (32, 32, 32)
    assert (workload.batch_tokens, workload.scored_tokens, workload.row_tokens) == (4800, 1600, 150)
    packed = Workload(packed=True, prompts_per_step=4, group_size=8, prompt_tokens=100, completion_tokens=50)
    assert (packed.batch_tokens, packed.row_tokens) == (4 * 100 + 1600, 500)


def _is_one_sentence_about(field: str, error: InvalidInput) -> None:
    text = str(error)
    assert text.startswith(f"`{field}` is ")
    assert text.endswith(".")
    assert "\n" not in text
    assert ": " in text  # a remedy follows
    assert len(text) < 260
