"""The rewards that a task file can name with `use`."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from core.config.sentence import sentence
from core.errors import NotFound
from core.tasks.rewards.answers import Choice, Exact, Normalised, Number, Regex
from core.tasks.rewards.countdown import CountdownNumbers, CountdownTarget
from core.tasks.rewards.reward import LibraryReward
from core.tasks.rewards.structure import JsonFields, JsonObject, Tags
from core.tasks.task import RewardFunction

LIBRARY: Mapping[str, type[LibraryReward]] = {
    "exact": Exact,
    "normalised": Normalised,
    "number": Number,
    "choice": Choice,
    "regex": Regex,
    "tags": Tags,
    "json-object": JsonObject,
    "json-fields": JsonFields,
    "countdown-numbers": CountdownNumbers,
    "countdown-target": CountdownTarget,
}


def library_reward(use: str, options: Mapping[str, Any]) -> LibraryReward:
    """The reward of this name with these options.

    Raises NotFound for a name that is none, InvalidInput for an option that cannot be.
    """
    if use not in LIBRARY:
        raise NotFound("use", use, "which no reward is called", f"choose one of {', '.join(LIBRARY)}")
    try:
        return LIBRARY[use].model_validate(dict(options))
    except ValidationError as error:
        raise sentence(error, LIBRARY[use], f"reward {use}") from None


def scored_by(document: str) -> RewardFunction:
    """The function of a reward from its JSON document, {"use": NAME, ...options}: what a scoring process is sent."""
    options = json.loads(document)
    return library_reward(options.pop("use"), options).score
