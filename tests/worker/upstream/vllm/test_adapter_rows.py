"""The adapter's first product as rows of the layer's own weights, over a fake of vLLM's layer."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from core.worker.upstream.vllm.adapter_rows import ROWS, make_room, move_in, product

OUT, IN, RANK = (6, 3, 3), 8, 2


def layer(bias: bool, rank: int = RANK) -> Any:
    torch.manual_seed(0)
    base = torch.nn.Linear(IN, sum(OUT), bias=bias)
    before = base.weight.data.clone()
    make_room(base, len(OUT) * RANK)
    base.weight.data.copy_(before)  # as a loader of weights does
    return SimpleNamespace(
        base_layer=base,
        lora_a_stacked=tuple(torch.zeros(1, 1, rank, IN) for _ in OUT),
        lora_b_stacked=tuple(torch.randn(1, 1, width, rank) for width in OUT),
        output_slices=OUT,
    )


def expected(module: Any, x: torch.Tensor) -> torch.Tensor:
    pairs = zip(module.lora_a_stacked, module.lora_b_stacked, strict=True)
    return module.base_layer(x) + torch.cat([x @ a[0, 0].T @ b[0, 0].T for a, b in pairs], dim=-1)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(5, IN), (2, 3, IN)], ids=str)
def test_the_product_is_that_of_layer_and_adapter(bias: bool, shape: tuple[int, ...]) -> None:
    module = layer(bias)
    move_in(module)
    with torch.inference_mode():
        for a in module.lora_a_stacked:
            a.copy_(torch.randn_like(a))  # as an adapter is written into the slot
    x = torch.randn(shape)
    given = module.base_layer.bias
    torch.testing.assert_close(product(module, x, given), expected(module, x))


def test_an_empty_slot_changes_nothing_and_the_weights_stay_one_piece() -> None:
    module = layer(bias=True)
    move_in(module)
    x = torch.randn(5, IN)
    torch.testing.assert_close(product(module, x, module.base_layer.bias), module.base_layer(x))
    assert module.base_layer.weight.is_contiguous()
    assert module.lora_a_stacked[0].data_ptr() > module.base_layer.weight.data_ptr()


def test_a_compiled_layer_gives_the_same() -> None:
    module = layer(bias=False)
    move_in(module)
    with torch.inference_mode():
        module.lora_a_stacked[1].copy_(torch.ones(1, 1, RANK, IN))
    x = torch.randn(5, IN)
    compiled = torch.compile(lambda x: product(module, x, None) * 2.0, backend="aot_eager")
    torch.testing.assert_close(compiled(x), 2.0 * expected(module, x))


def test_a_layer_made_otherwise_keeps_its_own_products() -> None:
    other_rank = layer(bias=False, rank=RANK + 1)
    move_in(other_rank)
    replaced = layer(bias=False)
    replaced.base_layer.weight = torch.nn.Parameter(replaced.base_layer.weight.data.clone())  # repacked after loading
    move_in(replaced)
    assert not hasattr(other_rank, ROWS)
    assert not hasattr(replaced, ROWS)
