"""The library as a whole: every reward says what it is, and is what it says whatever a model writes."""

import json
from typing import Any

import pytest
from sandbox_support import every_lock

from core.errors import InvalidInput, NotFound
from core.tasks.rewards.library import LIBRARY, library_reward, scored_by
from core.tasks.sandbox.box import Box
from core.tasks.sandbox.levels import Level
from core.tasks.sandbox.scorer import Frame, Patience, SandboxedScorer
from core.tasks.sandbox.sources import Library

FIELDS = {"answer": "42", "numbers": [1, 2, 3], "target": 6, "object": {"a": 1}}
# Options that a reward cannot do without.
OPTIONS: dict[str, dict[str, Any]] = {
    "regex": {"pattern": "[0-9]+"},
    "json-object": {"column": "object"},
    "json-fields": {"column": "object"},
    "json-schema": {"shape": {"type": "object"}},
    "language": {"language": "en"},
    "length": {"at_most": 10},
    "overlong": {"limit": 20, "cache": 10},
    "weighted": {"parts": [{"use": "exact"}, {"use": "tags", "weight": 0.5}]},
    "all-of": {"parts": [{"use": "exact"}, {"use": "overlong", "limit": 9, "cache": 3}]},
    "gate": {"parts": [{"use": "tags"}, {"use": "repetition"}]},
    "trl:get_soft_overlong_punishment": {"max_completion_len": 20, "soft_punish_cache": 10},
    "trl:get_cosine_scaled_reward": {"max_len": 20},
}
TEXTS = [
    "",
    "42",
    "<answer>42</answer>",
    "<answer>",
    "</answer><answer>",
    "\x00\ud800",
    "{" * 3000,
    "$" * 99 + "\\frac{" * 50,
    "word " * 400,
    "9" * 5000,
]
every_reward = pytest.mark.parametrize("use", LIBRARY)


@every_reward
def test_scores_lie_in_the_span_that_the_reward_names_and_are_the_same_when_asked_again(use: str) -> None:
    reward = library_reward(use, OPTIONS.get(use, {}))
    low, high = reward.span
    assert low < high
    for text in TEXTS:
        score = reward.score(text, FIELDS)
        assert score is None or low <= score <= high
        assert reward.score(text, FIELDS) == score


@every_reward
def test_a_reward_says_what_it_is_and_describes_its_options(use: str) -> None:
    kind = LIBRARY[use]
    assert kind.about.endswith(".")
    assert kind.source
    for name, option in kind.model_fields.items():
        assert option.description, name


@every_reward
def test_a_reward_survives_the_way_through_its_document(use: str) -> None:
    document = json.dumps({**OPTIONS.get(use, {}), "use": use})
    reward = library_reward(use, OPTIONS.get(use, {}))
    assert scored_by(document)("<answer>42</answer>", FIELDS) == reward.score("<answer>42</answer>", FIELDS)


@every_reward
def test_an_option_that_does_not_exist_is_named(use: str) -> None:
    with pytest.raises(InvalidInput, match="colour"):
        library_reward(use, {**OPTIONS.get(use, {}), "colour": "red"})


def test_a_name_that_is_none_is_answered_with_those_there_are() -> None:
    with pytest.raises(NotFound, match="exact, normalised"):
        library_reward("exacts", {})


@every_lock
def test_the_whole_library_scores_where_nothing_can_be_written_or_reached(level: Level) -> None:
    specs = {use: json.dumps({**OPTIONS.get(use, {}), "use": use}) for use in LIBRARY}
    text = "<answer>42</answer> The cat sat on the mat and looked at the dog."
    frames = [Frame(({"role": "user", "content": "?"},), (text,), FIELDS)]
    with Box(Library("core.tasks.rewards.library:scored_by", specs), level) as box:
        scored = SandboxedScorer(box, patience=Patience(group=60, step=120)).score(frames, [*LIBRARY])
    for use in LIBRARY:
        (outcome,) = scored.outcomes[use]
        assert outcome.error is None, use
        assert outcome.value == library_reward(use, OPTIONS.get(use, {})).score(text, FIELDS)


def test_what_a_reward_imports_is_named_with_the_extra_that_has_it() -> None:
    needs = {use: dict(library_reward(use, OPTIONS.get(use, {})).needs) for use in LIBRARY}
    assert needs["exact"] == {}
    assert needs["math"] == {"math_verify": "train"}
    assert needs["trl:accuracy_reward"] == {"trl.rewards": "train", "math_verify": "train"}
    inner = library_reward("gate", {"parts": [{"use": "tags"}, {"use": "fuzzy"}]})
    assert inner.needs == {"rapidfuzz": "train"}
