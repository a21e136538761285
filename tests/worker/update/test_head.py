"""A head that is not trained is scored as any other, with the slope found on the way."""

import pytest
import torch

from core.worker.update.head import score_tokens


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_a_frozen_head_gives_what_a_trained_one_gives(temperature: float) -> None:
    torch.manual_seed(0)
    head = torch.nn.Linear(48, 700, bias=False)
    head.weight.data *= 4  # so that some tokens are nearly sure
    states = torch.randn(300, 48)
    targets = torch.where(torch.arange(300) < 150, head(states).argmax(dim=1), torch.randint(700, (300,)))
    weights = torch.randn(300)
    found = []
    for trained in (False, True):
        head.weight.requires_grad_(trained)
        hidden = states.clone().requires_grad_()
        logprobs, entropies = score_tokens(hidden, head, targets, temperature)
        assert not entropies.requires_grad or trained
        (logprobs * weights).sum().backward()
        found.append((logprobs.detach(), entropies.detach(), hidden.grad))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


def test_without_a_gradient_none_is_prepared() -> None:
    head = torch.nn.Linear(8, 20, bias=False).requires_grad_(False)
    logprobs, entropies = score_tokens(torch.randn(5, 8), head, torch.arange(5), 1.0)
    assert not logprobs.requires_grad
    assert (logprobs < 0).all()
    assert (entropies > 0).all()
