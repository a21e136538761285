"""Rewards replayed: what stored completions would have earned under other weights or other reward functions.

Only what was sampled is known, so this says what a step's rewards and advantages would have been, and not what the
policy would have learned from them.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.config import RunConfig
from core.errors import InvalidInput
from core.models.tokens import SPECIAL
from core.records.rollout import Completion, Group
from core.tasks.advantages import advantages, is_flat, weighted
from core.tasks.registry import RECIPES
from core.tasks.task import LibraryCode, Reward, RewardFunction, Task


def _use(reward: Reward) -> str:
    """What the library calls a reward."""
    assert isinstance(reward.code, LibraryCode)
    return str(json.loads(reward.code.document)["use"])


# Every reward function that a recipe has, by name, to try in the place of another.
FUNCTIONS: Mapping[str, RewardFunction] = {
    _use(reward): reward.function for recipe in RECIPES for reward in recipe.rewards
}
MOST_WEIGHT = 1000.0
SHOWN = 20


@dataclass(frozen=True)
class Reweighting:
    """What to weigh by. `functions` names those of FUNCTIONS that score anew; the others' stored scores count."""

    weights: Mapping[str, float]
    functions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Turn:
    """A completion whose advantage changes: what it earned, and what it would have earned."""

    completion: Completion
    reward: float | None
    advantage: float
    error: str = ""


@dataclass(frozen=True)
class Replayed:
    """One step. `turns` has all completions in the order of their groups."""

    step: int
    reward: float | None
    reward_then: float | None
    groups: int
    flat: int
    flat_then: int
    turns: tuple[Turn, ...]


def make_reweighting(
    task: Task, config: RunConfig, weights: Mapping[str, float], functions: Mapping[str, str]
) -> Reweighting:
    """The run's own weights with these changes. Raises InvalidInput for what does not exist or cannot be."""
    own = task.weights({**config.reward_weights, **weights})
    for name, weight in own.items():
        if not -MOST_WEIGHT <= weight <= MOST_WEIGHT:
            raise InvalidInput(f"weight of {name}", weight, "which is no weight", f"choose up to {MOST_WEIGHT:.0f}")
    for name, function in functions.items():
        if name not in own:
            raise InvalidInput("function", name, "which the run does not have", f"use {', '.join(own)}")
        if function not in FUNCTIONS:
            raise InvalidInput("function", function, "which does not exist", f"choose one of {', '.join(FUNCTIONS)}")
    return Reweighting(own, dict(functions))


def replay_step(number: int, groups: Sequence[Group], reweighting: Reweighting, config: RunConfig) -> Replayed:
    """A step weighed anew, its groups in the order they were sampled in."""
    scored = [[_score(one, group.fields, reweighting) for one in group.completions] for group in groups]
    earned = [[weighted(scores, reweighting.weights) for scores, _ in group] for group in scored]
    gained = advantages(earned, config.scale_rewards)
    turns = [
        Turn(one, earned[place][row], gained[place][row], scored[place][row][1])
        for place, group in enumerate(groups)
        for row, one in enumerate(group.completions)
    ]
    return Replayed(
        step=number,
        reward=_mean(one.reward for group in groups for one in group.completions),
        reward_then=_mean(turn.reward for turn in turns),
        groups=len(groups),
        flat=sum(is_flat([one.reward for one in group.completions]) for group in groups),
        flat_then=sum(is_flat(group) for group in earned),
        turns=tuple(turns),
    )


def largest_changes(steps: Iterable[Replayed], count: int = SHOWN) -> list[Turn]:
    """The completions whose advantage changes most; those it turns around come first."""
    changed = [turn for step in steps for turn in step.turns if abs(turn.advantage - turn.completion.advantage) > 1e-3]

    def size(turn: Turn) -> tuple[bool, float]:
        before = turn.completion.advantage
        return before * turn.advantage < 0, abs(turn.advantage - before)

    return sorted(changed, key=size, reverse=True)[:count]


def scored_text(text: str) -> str:
    """What a reward function was given: the text without the special tokens that were sampled with it."""
    return SPECIAL.sub("", text)


def _score(one: Completion, fields: Mapping[str, Any], reweighting: Reweighting) -> tuple[dict[str, float | None], str]:
    """(score by function, what went wrong with the functions tried)."""
    scores = {score.function: score.value for score in one.scores if score.function in reweighting.weights}
    errors = []
    for name, function in reweighting.functions.items():
        try:
            value = FUNCTIONS[function](scored_text(one.text), fields)
        except Exception as error:  # as in training: a reward that raises leaves the completion unscored
            value = None
            errors.append(f"{function}: {type(error).__name__}: {error}")
        scores[name] = value
    return scores, "; ".join(errors)


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
