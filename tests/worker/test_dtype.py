"""One type of number for trainer and engine, and the same that a plan counts with."""

from pathlib import Path

import torch
from tiny_support import tiny_policy

from core.catalogue import load_catalogue
from core.config import make_config
from core.host import multiplies_bf16
from core.worker.dtype import NAMES, autocast, compute_dtype, compute_notice
from core.worker.engines.adapter_sync.merging import base_weights, merged_weights
from core.worker.loading.weights import load_base
from core.worker.objectives.trl_arguments import grpo_arguments

CPU, GPU = torch.device("cpu"), torch.device("cuda")
CONFIG = make_config({"model": "m", "recipe": "addition", "gpu": "cpu"})


def test_torch_agrees() -> None:
    """What torch cannot do is not chosen; it also says yes where bf16 is emulated, which is not chosen either."""
    assert torch.ops.mkldnn._is_mkldnn_bf16_supported() or not multiplies_bf16()


def test_a_plan_counts_what_is_computed_in() -> None:
    assert NAMES[compute_dtype(CPU)] == load_catalogue().gpu("cpu").dtype
    assert compute_dtype(GPU) == torch.bfloat16


def test_what_is_unusual_is_said() -> None:
    assert compute_notice(GPU) == ""
    assert ("fp32" in compute_notice(CPU)) == (compute_dtype(CPU) == torch.float32)


def test_everything_on_a_cpu_is_in_that_type(tmp_path: Path) -> None:
    dtype = compute_dtype(CPU)
    policy = tiny_policy("llama")
    for name, weight in (*merged_weights(policy), *base_weights(policy)):
        assert weight.dtype == dtype, name
    assert grpo_arguments(CONFIG, tmp_path, CPU).bf16 == (dtype == torch.bfloat16)
    policy.unload().save_pretrained(tmp_path)
    assert {parameter.dtype for parameter in load_base(str(tmp_path), CONFIG, CPU).parameters()} == {dtype}
    with autocast(CPU):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == dtype


def test_in_fp32_a_merge_keeps_every_digit_of_the_adapter() -> None:
    policy = tiny_policy("llama")
    if compute_dtype(CPU) == torch.float32:
        merged = dict(merged_weights(policy))
        expected = policy.merge_and_unload().state_dict()
        for name, weight in merged.items():
            torch.testing.assert_close(weight, expected[name], rtol=1e-6, atol=1e-7)
