"""A base model that changes under training is noticed, whatever changes in it."""

import time

import pytest
import torch
from tiny_support import tiny_policy

from core.errors import RunError
from core.worker.checks.base_unchanged import BaseWatch


def test_training_the_adapter_changes_nothing() -> None:
    policy = tiny_policy("llama")
    watch = BaseWatch(policy)
    optimizer = torch.optim.AdamW([p for p in policy.parameters() if p.requires_grad], lr=0.1)
    policy(torch.arange(20)[None]).logits.sum().backward()
    optimizer.step()
    watch.check()
    assert BaseWatch(policy).digest == watch.digest


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("model.embed_tokens.weight", 0),
        ("model.layers.1.self_attn.k_proj.weight", 17),
        ("model.layers.2.mlp.down_proj.weight", -1),
        ("model.norm.weight", 3),
    ],
)
def test_one_changed_bit_is_named(name: str, place: int) -> None:
    policy = tiny_policy("llama").to(torch.bfloat16)
    watch = BaseWatch(policy)
    tensors = {key.replace(".base_layer.", "."): value for key, value in policy.get_base_model().state_dict().items()}
    tensors[name].view(-1).view(torch.int16)[place] ^= 1
    with pytest.raises(RunError, match=f"first in {name}") as caught:
        watch.check()
    assert caught.value.kind == "base-changed"


def test_swapped_values_are_noticed() -> None:
    policy = tiny_policy("llama")
    watch = BaseWatch(policy)
    weight = policy.get_base_model().model.norm.weight.data
    weight[0] = 2.0
    changed = BaseWatch(policy).digest
    weight[0], weight[5] = 1.0, 2.0
    assert len({watch.digest, changed, BaseWatch(policy).digest}) == 3


def test_odd_sizes_and_types_are_hashed_to_the_last_byte() -> None:
    policy = tiny_policy("llama")
    buffer = torch.arange(13, dtype=torch.uint8)
    policy.get_base_model().register_buffer("odd", buffer)
    watch = BaseWatch(policy)
    buffer[12] = 99
    with pytest.raises(RunError, match="first in odd"):
        watch.check()


def test_hashing_is_quick() -> None:
    policy = tiny_policy("llama")
    policy.get_base_model().register_buffer("large", torch.zeros(135_000_000, dtype=torch.bfloat16))
    began = time.perf_counter()
    BaseWatch(policy)
    assert time.perf_counter() - began < 5.0  # 0.1 s on two free cores
