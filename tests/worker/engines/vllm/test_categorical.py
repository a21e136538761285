"""Tokens are drawn as often as their probabilities say."""

import pytest
import torch

from core.worker.engines.vllm.categorical import sample

DRAWS = 200_000


@pytest.mark.parametrize("words", [7, 256, 1000])
def test_frequencies_are_the_probabilities(words: int) -> None:
    torch.manual_seed(0)
    probabilities = torch.rand(words).pow(4)
    probabilities /= probabilities.sum()
    drawn = sample(probabilities.expand(DRAWS, -1))
    frequencies = torch.bincount(drawn, minlength=words) / DRAWS
    spread = (probabilities * (1 - probabilities) / DRAWS).sqrt()
    assert ((frequencies - probabilities).abs() <= 5 * spread + 1e-6).all()


def test_a_word_of_probability_zero_is_never_drawn() -> None:
    torch.manual_seed(0)
    probabilities = torch.zeros(DRAWS, 1000)
    probabilities[:, [3, 255, 256, 700]] = torch.tensor([1e-6, 0.5, 0.3, 0.2 - 1e-6])
    assert set(sample(probabilities).tolist()) <= {3, 255, 256, 700}


def test_certainty_is_drawn() -> None:
    ids = torch.tensor([0, 255, 256, 999])
    assert torch.equal(sample(torch.nn.functional.one_hot(ids, 1000).float()), ids)
