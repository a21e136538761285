"""The protocol every engine follows."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from peft import PeftModel


@dataclass(frozen=True)
class Sampling:
    """How to sample. `seed` decides the draw completely: the same prompts and seed give the same tokens.

    lengths  exactly so many tokens for each completion in turn, whatever they are: to measure with. Empty: the model
             ends a completion, or max_tokens does
    """

    temperature: float
    top_p: float
    top_k: int
    max_tokens: int
    seed: int
    lengths: tuple[int, ...] = ()


@dataclass(frozen=True)
class Sample:
    """One sampled completion: token ids (T,) with the log-probability each was drawn with (T,).

    finish_reason  "stop" when the model ended it, "length" when it was cut
    """

    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    finish_reason: str


class InferenceEngine(Protocol):
    """Samples from the policy. `connect` once, then for each batch `sync` and `generate`.

    notices       what people should know about using this engine here, a sentence each; none when all is well
    adapter_sync  how the adapter reaches it
    reason        why this way, where another was thinkable; "" where nobody needs to be told
    asleep_bytes  device memory that it has given back for the time being, though torch still counts it
    """

    name: str
    notices: tuple[str, ...]
    adapter_sync: str
    reason: str
    asleep_bytes: int

    def connect(self, policy: PeftModel) -> None:
        """Takes the policy whose adapter `sync` will apply."""

    def sync(self) -> None:
        """Makes the engine sample from the policy as it is now."""

    def generate(self, prompts: list[list[int]], group_size: int, sampling: Sampling) -> list[list[Sample]]:
        """`group_size` samples for each prompt of token ids, in the order of the prompts."""

    def rest(self) -> None:
        """Gives back what is needed for sampling alone, where it can; the next `generate` takes it again."""

    def close(self) -> None:
        """Gives back what the engine holds."""


@contextmanager
def kept_random_state() -> Iterator[None]:
    """Leaves the global random generators of random, numpy and torch as they were found."""
    before = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
        torch.set_rng_state(before[2])


def seed_everything(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
