"""What was sampled for a prompt: completions with their scores, in groups."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class RewardScore:
    """One reward function's value for one completion; None with an error when the function raised."""

    function: str
    value: float | None
    error: str = ""


@dataclass(frozen=True)
class Feedback:
    """What a person said about a completion."""

    flagged: bool = False
    note: str = ""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Completion:
    """One sampled answer. What is said of tokens is (T,), and empty when a reader did not ask or nobody knows.

    finish_reason     "stop" (the model ended it) or "length" (cut at completion_tokens)
    logprobs          log-probability of each token under the distribution it was sampled from
    trainer_logprobs  the same as the trainer computed it
    entropies         in nats, of the distribution each token was drawn from
    extra             what reward functions said of it beside their scores, by name
    flat              all completions of its group had the same reward, so that none of them taught anything
    """

    index: int
    text: str
    finish_reason: str
    reward: float | None
    advantage: float
    scores: tuple[RewardScore, ...] = ()
    length: int = 0
    token_ids: tuple[int, ...] = ()
    logprobs: tuple[float, ...] = ()
    trainer_logprobs: tuple[float, ...] = ()
    entropies: tuple[float, ...] = ()
    id: int = 0
    run: str = ""
    step: int = 0
    group: int = 0
    prompt: str = ""
    flat: bool = False
    remark: Feedback = Feedback()
    evidence: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Group:
    """All completions of one prompt in one step. `fields` are the recipe's columns, such as the reference answer."""

    index: int
    prompt: str
    prompt_token_ids: tuple[int, ...]
    fields: Mapping[str, Any]
    completions: tuple[Completion, ...]
    id: int = 0
