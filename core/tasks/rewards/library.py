"""The rewards that a task file can name with `use`."""

import json
import math
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from core.config.sentence import sentence
from core.errors import InvalidInput, NotFound
from core.tasks.rewards.answers import Choice, Exact, Normalised, Number, Regex
from core.tasks.rewards.batch import Outside
from core.tasks.rewards.composites import AllOf, Composite, Gate, Part, Weighted
from core.tasks.rewards.countdown import CountdownNumbers, CountdownTarget
from core.tasks.rewards.gym import ReasoningGym
from core.tasks.rewards.judge import Judge
from core.tasks.rewards.lengths import Length, Overlong, Repetition
from core.tasks.rewards.likeness import Fuzzy, Language
from core.tasks.rewards.mathematics import MathEquivalent
from core.tasks.rewards.of_trl import (
    Accuracy,
    CosineScaled,
    ReasoningAccuracy,
    RepetitionPenalty,
    SoftOverlong,
    ThinkFormat,
)
from core.tasks.rewards.packages import refuse_missing
from core.tasks.rewards.programs import Program
from core.tasks.rewards.reward import LibraryReward
from core.tasks.rewards.schema import JsonSchema
from core.tasks.rewards.structure import JsonFields, JsonObject, Tags, Xml
from core.tasks.task import RewardFunction

LIBRARY: Mapping[str, type[LibraryReward]] = {
    "exact": Exact,
    "normalised": Normalised,
    "number": Number,
    "choice": Choice,
    "regex": Regex,
    "math": MathEquivalent,
    "fuzzy": Fuzzy,
    "tags": Tags,
    "xml": Xml,
    "json-object": JsonObject,
    "json-fields": JsonFields,
    "json-schema": JsonSchema,
    "language": Language,
    "length": Length,
    "overlong": Overlong,
    "repetition": Repetition,
    "countdown-numbers": CountdownNumbers,
    "countdown-target": CountdownTarget,
    "reasoning-gym": ReasoningGym,
    "weighted": Weighted,
    "all-of": AllOf,
    "gate": Gate,
    "trl:think_format_reward": ThinkFormat,
    "trl:get_soft_overlong_punishment": SoftOverlong,
    "trl:get_repetition_penalty_reward": RepetitionPenalty,
    "trl:accuracy_reward": Accuracy,
    "trl:reasoning_accuracy_reward": ReasoningAccuracy,
    "trl:get_cosine_scaled_reward": CosineScaled,
}
# Asked about whole steps, by their own scorers: see `batch`.
OUTSIDE: Mapping[str, type[Outside]] = {
    "code": Program,
    "judge": Judge,
}
DEEPEST = 4  # rewards in rewards


def library_reward(use: str, options: Mapping[str, Any], depth: int = 1) -> LibraryReward:
    """The reward of this name with these options; parts of one are tables with `use`, `weight` and their options.

    Raises NotFound for a name that is none, InvalidInput for an option that cannot be.
    """
    kind = LIBRARY.get(use) or OUTSIDE.get(use)
    if kind is None:
        raise NotFound("use", use, "which no reward is called", f"choose one of {', '.join([*LIBRARY, *OUTSIDE])}")
    given = dict(options)
    if issubclass(kind, Composite):
        if depth > DEEPEST:
            raise InvalidInput("parts", use, f"below {DEEPEST} others", "put fewer rewards into each other")
        given["parts"] = tuple(_part(each, depth) for each in _listed(given.get("parts")))
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        raise sentence(error, kind, f"reward {use}") from None


def scored_by(document: str) -> RewardFunction:
    """The function of a reward from its JSON document, {"use": NAME, ...options}: what a scoring process is sent."""
    return _documented(document).score


def check_installed(document: str) -> None:
    """Raises InvalidInput where the reward of a JSON document would miss a package when it scores."""
    refuse_missing(_documented(document).needs)


def _documented(document: str) -> LibraryReward:
    options = json.loads(document)
    return library_reward(options.pop("use"), options)


def _listed(parts: Any) -> list[Any]:
    if not isinstance(parts, list | tuple):
        raise InvalidInput("parts", parts, "where rewards belong", 'write parts = [{use = "exact"}, ...]')
    return list(parts)


def _part(given: Any, depth: int) -> Part:
    options = dict(given) if isinstance(given, Mapping) else {}
    use, weight = options.pop("use", None), options.pop("weight", 1.0)
    if not isinstance(use, str):
        raise InvalidInput("parts", given, "which names no reward", 'write {use = "exact"} and its options')
    if use in OUTSIDE:
        raise InvalidInput("parts", use, "which scores whole steps", "give it a [[reward]] of its own")
    if not isinstance(weight, int | float) or not math.isfinite(weight):
        raise InvalidInput("weight", weight, "which is no number", "write one, such as 0.5")
    return Part(library_reward(use, options, depth + 1), float(weight))


def outside_reward(document: str) -> Outside:
    """The reward that scores from outside the library's child, from its JSON document."""
    options = json.loads(document)
    made = library_reward(options.pop("use"), options)
    assert isinstance(made, Outside)
    return made
