"""What a recipe is."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypedDict

from core.catalogue import BaseModel
from core.errors import InvalidInput

RewardFunction = Callable[[str, Mapping[str, Any]], float | None]

# Where the size classes of `Task.by_size` end, in parameters.
SMALL, MEDIUM = 500_000_000, 2_500_000_000


class Message(TypedDict):
    """One message of a chat: who speaks ("system", "user" or "assistant"), and what is said."""

    role: str
    content: str


@dataclass(frozen=True)
class LibraryCode:
    """A reward of the library, as the JSON document that `rewards.library.scored_by` makes a function of."""

    document: str


@dataclass(frozen=True)
class OutsideCode:
    """A reward of the library that asks about whole steps from outside its child: a judge, programs with tests."""

    document: str


@dataclass(frozen=True)
class OwnCode:
    """A function of somebody's Python file, which runs in a sandbox and nowhere else.

    sha256       of the text that its owner has agreed to
    whole_batch  it compares completions with each other, so it is asked about all of a step at once
    form         how functions in TRL's form get completions: as lists of messages ("chat") or as strings ("text")
    """

    path: Path
    sha256: str
    function: str
    whole_batch: bool = False
    form: Literal["chat", "text"] = "chat"


@dataclass(frozen=True)
class Reward:
    """A reward function with its weight in the reward and one line about what it measures.

    function  scores in this process
    code      what training scores with in a process of its own instead; None: there is only the function
    """

    name: str
    weight: float
    about: str
    function: RewardFunction
    code: LibraryCode | OutsideCode | OwnCode | None = None


@dataclass(frozen=True)
class Example:
    """One prompt as chat messages, and the fields its rewards read."""

    prompt: tuple[Message, ...]
    fields: Mapping[str, Any]


@dataclass(frozen=True)
class Task:
    """A task: where prompts come from, how completions are scored, and settings that are known to start well.

    generate  (source, seed) -> endless examples; the same source and seed give the same examples
    gold      fields -> a completion that scores 1.0 with every reward function; "" where the task has none
    held_out  examples for evaluation that `generate` never gives; None: they come from `generate` with another seed
    values    config fields for every model; `by_size` adds those for "small", "medium" and "large" models,
              `for_builtin` those that are exact for the built-in model
    """

    name: str
    title: str
    description: str
    rewards: tuple[Reward, ...]
    generate: Callable[[str, int], Iterator[Example]]
    gold: Callable[[Mapping[str, Any]], str]
    values: Mapping[str, Any] = field(default_factory=dict)
    by_size: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    for_builtin: Mapping[str, Any] = field(default_factory=dict)
    needs_dataset: bool = False
    held_out: Callable[[], Iterator[Example]] | None = None

    def examples(self, count: int, seed: int, source: str = "") -> list[Example]:
        """The first `count` examples for this seed."""
        return list(itertools.islice(self.generate(source, seed), count))

    def evaluation_examples(self, source: str, seed: int) -> Iterator[Example]:
        """Examples to evaluate on; `seed` must be one that no training has."""
        return self.held_out() if self.held_out else self.generate(source, seed)

    def example_prompt(self) -> str:
        """The text of one prompt, to show what the model is asked. Empty when it needs data that is elsewhere."""
        if self.needs_dataset:
            return ""
        messages = self.examples(1, seed=0)[0].prompt
        if len(messages) == 1:
            return messages[0]["content"]
        return "\n\n".join(f"{message['role']}: {message['content']}" for message in messages)

    def weights(self, chosen: Mapping[str, float]) -> dict[str, float]:
        """Each reward function's weight, the recipe's own where `chosen` has none.

        Raises InvalidInput when `chosen` names a function this recipe does not have.
        """
        own = {reward.name: reward.weight for reward in self.rewards}
        for name in chosen:
            if name not in own:
                raise InvalidInput(
                    "reward_weights", name, f"which recipe {self.name} does not have", f"use {', '.join(own)}"
                )
        return {**own, **chosen}

    def starting_values(self, model: BaseModel | None, on_cpu: bool) -> dict[str, Any]:
        """Config fields to start from for this model of the catalogue (None: unknown, taken as large)."""
        size, parameters = "large", model.parameters if model else None
        if parameters is not None and parameters < MEDIUM:
            size = "small" if parameters < SMALL else "medium"
        # A small model on two cores learns a small task with little capacity and trains faster for it.
        device = {"rank": 16} if on_cpu else {"rank": 64, "gradient_checkpointing": size == "large"}
        exact = self.for_builtin if model and model.builtin else {}
        return {**device, **self.values, **self.by_size.get(size, {}), **exact}
