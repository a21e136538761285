"""The one adapter of an engine's slot, by plain products."""

from typing import Any

import pytest
import torch

from core.worker.upstream.vllm.one_adapter import add_to, compiled_add_to, replacement


def matrices(slots: int = 1) -> tuple[list[torch.Tensor], list[torch.Tensor], list[int]]:
    widths = [6, 3, 3]
    stacked_a = [torch.randn(slots, 1, 2, 8) for _ in widths]
    return stacked_a, [torch.randn(slots, 1, width, 2) for width in widths], widths


def expected(y: torch.Tensor, x: torch.Tensor, a: list[torch.Tensor], b: list[torch.Tensor]) -> torch.Tensor:
    return y + 0.5 * torch.cat([x @ one[0, 0].T @ other[0, 0].T for one, other in zip(a, b, strict=True)], dim=1)


@pytest.mark.parametrize("add", [add_to, compiled_add_to])
def test_each_slice_gets_its_own_product(add: Any) -> None:
    torch.manual_seed(0)
    y, x, (a, b, widths) = torch.randn(5, 12), torch.randn(5, 8), matrices()
    right = expected(y, x, a, b)
    add(y, x, a, b, widths, 0.5)
    torch.testing.assert_close(y, right)


def test_a_compiler_keeps_the_change_in_place() -> None:
    torch.manual_seed(1)
    base, x, (a, b, widths) = torch.randn(5, 12), torch.randn(5, 8), matrices()

    def layer(x: torch.Tensor) -> torch.Tensor:
        y = base * 1.0
        compiled_add_to(y, x, a, b, widths, 0.5)
        return y * 2.0

    compiled = torch.compile(layer, backend="aot_eager")
    torch.testing.assert_close(compiled(x), 2.0 * expected(base, x, a, b))


def test_several_slots_and_separate_outputs_are_left_to_vllm() -> None:
    asked: list[dict[str, Any]] = []

    def original(self: Any, *args: Any, **kwargs: Any) -> None:
        asked.append(kwargs)

    served = replacement(original)
    y, x = torch.zeros(5, 12), torch.randn(5, 8)
    a, b, widths = matrices(slots=2)
    served(None, y, x, a, b, 1.0, widths)
    a, b, widths = matrices()
    served(None, y, x, a, b, 1.0, widths, add_inputs=False)
    assert [kwargs.get("add_inputs") for kwargs in asked] == [None, False]
    assert not y.any()
    served(None, y, x, a, b, 1.0, widths)
    assert len(asked) == 2
    assert y.any()
