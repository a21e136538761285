"""Finding completions: every filter and order against the same done by hand, pages without gaps, words and phrases."""

import contextlib
import math
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from core.config import make_config
from core.errors import InvalidInput
from core.records.rollout import Completion, Group, RewardScore
from core.records.step import Step
from core.store import Database, columnar
from core.store.rollouts import feedback as saying
from core.store.rollouts.record import record_step
from core.store.runs import lifecycle
from core.store.search.filter import ORDERS, CompletionFilter
from core.store.search.query import USUAL, Effort, list_completions, overview

STEPS, GROUPS, SIZE = 12, 3, 4
WORDS = ("alpha", "beta", "gamma", "delta", "Ünïcode", "2+5", "x")


def a_step(number: int, chance: random.Random) -> Step:
    groups = []
    for index in range(GROUPS):
        answer = chance.randint(1, 3)
        members = []
        for place in range(SIZE):
            scored = chance.random() < 0.9
            right, form = float(chance.random() < 0.5), float(chance.random() < 0.7)
            members.append(
                Completion(
                    index=place,
                    text=" ".join(chance.choices(WORDS, k=6)),
                    finish_reason=chance.choice(("stop", "length")),
                    reward=right * 0.8 + form * 0.2 if scored else None,
                    advantage=chance.choice((-1.0, 0.0, 0.5)),
                    scores=(RewardScore("right", right if scored else None, "" if scored else "ValueError"),)
                    + ((RewardScore("format", form),) if scored else ()),
                    length=chance.randint(1, 9),
                )
            )
        fields = {"answer": answer, "name": f"n {answer}"}
        groups.append(Group(index, f"What is {answer}?", (1,), fields, tuple(members)))
    return Step(number, {}, {}, {}, tuple(groups))


def changed_step(number: int, text: str) -> Step:
    """A step as if sampled again with another outcome."""
    members = tuple(Completion(place, text, "stop", 1.0, 0.0, token_ids=(4,)) for place in range(SIZE))
    return Step(number, {}, {}, {}, tuple(Group(index, "anew", (1,), {}, members) for index in range(GROUPS)))


@pytest.fixture
def run_id(database: Database) -> str:
    """A run of 144 completions whose rows lie among those of another."""
    config = make_config({"model": "smollm2-135m", "recipe": "addition"})
    chance = random.Random(0)
    with database.writing() as connection:
        run, other = (lifecycle.enqueue(connection, config).id for _ in range(2))
        for number in range(1, STEPS + 1):
            record_step(connection, run, a_step(number, chance))
            record_step(connection, other, a_step(number, chance))
    return run


def everything(database: Database, run_id: str, effort: Effort = USUAL, **wanted: Any) -> list[Completion]:
    """All pages one after the other."""
    found: list[Completion] = []
    after = ""
    with database.reading() as connection:
        while True:
            page, after = list_completions(
                connection, run_id, CompletionFilter(**{"limit": 31, **wanted}, after=after), effort=effort
            )
            found += page
            if not after:
                return found


def score(one: Completion, name: str) -> float | None:
    return next((score.value for score in one.scores if score.function == name), None)


Test = Callable[[Completion], bool]
ASKED: list[tuple[dict[str, Any], Test]] = [
    ({}, lambda c: True),
    ({"step": 7}, lambda c: c.step == 7),
    ({"first_step": 7, "last_step": 9}, lambda c: 7 <= c.step <= 9),
    ({"min_reward": 0.2}, lambda c: (c.reward or 0) >= 0.2),
    ({"max_reward": 0.2}, lambda c: c.reward is not None and c.reward <= 0.2),
    ({"min_advantage": 0.0, "max_length": 4}, lambda c: c.advantage >= 0 and c.length <= 4),
    ({"score": "right", "min_score": 1.0}, lambda c: score(c, "right") == 1.0),
    ({"score": "format", "max_score": 0.0, "min_reward": 0.8}, lambda c: score(c, "format") == 0 and c.reward == 0.8),
    ({"finish_reason": "length", "flat": False}, lambda c: c.finish_reason == "length" and not c.flat),
    ({"fields": "answer=2"}, lambda c: c.prompt == "What is 2?"),
    ({"fields": "name=n 3", "step": 4}, lambda c: c.prompt == "What is 3?" and c.step == 4),
    ({"search": "alpha"}, lambda c: "alpha" in c.text),
    ({"search": "ALPHA unicode"}, lambda c: "alpha" in c.text and "Ünïcode" in c.text),
    ({"search": '"alpha beta"'}, lambda c: "alpha beta" in c.text),
    ({"search": "gam*", "min_reward": 0.9}, lambda c: "gamma" in c.text and (c.reward or 0) >= 0.9),
    ({"search": "2+5"}, lambda c: "2+5" in c.text),
    ({"search": "3", "search_in": "prompts"}, lambda c: c.prompt == "What is 3?"),
    ({"search": "what", "search_in": "prompts", "max_reward": 0.5}, lambda c: c.reward is not None and c.reward <= 0.5),
    ({"flagged": True}, lambda c: c.remark.flagged),
    ({"flagged": False}, lambda c: not c.remark.flagged),
    ({"tag": "odd"}, lambda c: "odd" in c.remark.tags),
    ({"evidence": "form-only"}, lambda c: "form-only" in c.evidence),
]


NOT_FEW, NO_WALK = {"few": 0, "few_found": 0}, {"walk": 0, "walk_searching": 0}
# Each way a question may be answered, by what is allowed to the ways before it, with blocks of so many rows.
WAYS = {
    "few": (Effort(), None),
    "walk": (Effort(**NOT_FEW), None),
    "all, without blocks": (Effort(**NOT_FEW, **NO_WALK), None),
    "all, in blocks and a rest": (Effort(**NOT_FEW, **NO_WALK), 10),
    "all, in blocks alone": (Effort(**NOT_FEW, **NO_WALK), 48),
}


@pytest.mark.parametrize(("effort", "block"), WAYS.values(), ids=WAYS)
def test_every_filter_in_every_order(database: Database, run_id: str, effort: Effort, block: int | None) -> None:
    """Whichever way a question takes, the answer is what a plain loop over all completions gives."""
    if block is not None:
        with database.writing() as connection:
            columnar.seal(connection, 1, rows=block)
            assert columnar.sealed(connection, 1)
    chance = random.Random(1)
    with database.writing() as connection:
        ids = [one.id for one in list_completions(connection, run_id, CompletionFilter(limit=400))[0]]
        for each in chance.sample(ids, 5):
            saying.flag(connection, each, True)
            saying.set_tags(connection, each, ["odd"])
    known = everything(database, run_id)
    assert len(known) == STEPS * GROUPS * SIZE
    keys: dict[str, Callable[[Completion], Any]] = {
        "newest": lambda c: c.id,
        "oldest": lambda c: c.id,
        "reward": lambda c: c.reward,
        "advantage": lambda c: c.advantage,
        "length": lambda c: c.length,
        "score:format": lambda c: score(c, "format"),
    }
    for asked, test in ASKED:
        matching = [one for one in known if test(one)]
        for sort in (*ORDERS, "score:format", "-score:format"):
            if len(matching) > 50 and chance.random() < 0.8:  # a share of them is enough
                continue
            key = keys[sort.removeprefix("-")]
            descending = not sort.startswith("-") and sort != "oldest"
            valued = [one for one in matching if key(one) is not None]
            rest = [one for one in matching if key(one) is None]
            expected = [
                *sorted(valued, key=lambda one: (key(one), one.id), reverse=descending),
                *sorted(rest, key=lambda one: one.id, reverse=descending),
            ]
            found = everything(database, run_id, effort, sort=sort, **asked)
            assert [one.id for one in found] == [one.id for one in expected], (asked, sort)
        with database.reading() as connection:
            seen = overview(connection, run_id, CompletionFilter(**asked), effort)
            part = overview(connection, run_id, CompletionFilter(**asked), replace(effort, counted=7))
        assert (seen.count, seen.more) == (len(matching), False), asked
        assert sum(seen.bins) + seen.unscored == seen.count
        searching = "search" in asked and asked.get("search_in") is None
        assert part.more == (searching and not effort.few_found), asked
        assert part.count == len(matching) or (part.more and part.count < len(matching)), asked


@pytest.mark.parametrize(
    "text",
    [
        '"',
        '""',
        "*",
        "AND",
        "NEAR(a b)",
        "col:x",
        "-x",
        "a OR b",
        "(",
        "{text}:a",
        "\0",
        "'; DROP TABLE runs",
        "^a",
        "ö*",
    ],
)
def test_a_search_is_words_and_never_a_language(database: Database, run_id: str, text: str) -> None:
    with database.reading() as connection, contextlib.suppress(InvalidInput):  # for texts without a word
        list_completions(connection, run_id, CompletionFilter(search=text))


@pytest.mark.parametrize(
    "asked",
    [
        {"sort": "best"},
        {"sort": "score:nothing"},
        {"score": "nothing"},
        {"min_score": "1"},
        {"limit": "0"},
        {"min_reward": "nan"},
        {"min_length": "1.5"},
        {"flat": "maybe"},
        {"fields": "answer"},
        {"evidence": "guilt"},
        {"after": "yesterday"},
        {"search_in": "dreams"},
    ],
    ids=str,
)
def test_what_cannot_be_asked_is_refused_in_a_sentence(database: Database, run_id: str, asked: dict[str, str]) -> None:
    with database.reading() as connection, pytest.raises(InvalidInput):
        list_completions(connection, run_id, CompletionFilter.from_query(asked))


def test_a_question_travels_in_a_link() -> None:
    wanted = CompletionFilter(
        step=3, min_reward=0.1, search='"a b" c*', sort="-score:right", flat=False, flagged=True, fields="answer=7"
    )
    assert CompletionFilter.from_query(wanted.to_query()) == wanted
    assert CompletionFilter().to_query() == {}


def test_blocks_follow_what_is_recorded_again(database: Database, run_id: str) -> None:
    with database.writing() as connection:
        columnar.seal(connection, 1, rows=12)
        whole = columnar.sealed(connection, 1)
        record_step(connection, run_id, changed_step(6, "again"))
        assert 0 < columnar.sealed(connection, 1) < whole
        columnar.seal(connection, 1, rows=12)
    known = everything(database, run_id)
    sixth = [one.id for one in known if one.step == 6]
    effort = Effort(**NOT_FEW, **NO_WALK)
    assert len(sixth) == GROUPS * SIZE
    assert sixth == [one.id for one in everything(database, run_id, effort, step=6)]
    with database.reading() as connection:
        assert overview(connection, run_id, CompletionFilter(), effort).count == len(known)


def test_blocks_hold_every_number_exactly(database: Database) -> None:
    """In however few bytes: a bound that is a stored value finds it, and nothing beyond it does."""
    rewards = [0.1, 1 / 3, 1e-12, 65505.0, -7.0, 0.5, 2.0**-30, 1e300]
    lengths = [1, 255, 256, 70_000, 2**33, 4, 5, 6]
    config = make_config({"model": "smollm2-135m", "recipe": "addition"})
    members = tuple(
        Completion(place, "", "a reason of its own", reward, -reward, length=length)
        for place, (reward, length) in enumerate(zip(rewards, lengths, strict=True))
    )
    with database.writing() as connection:
        run_id = lifecycle.enqueue(connection, config).id
        record_step(connection, run_id, Step(1, {}, {}, {}, (Group(0, "", (), {}, members),)))
        columnar.seal(connection, 1, rows=len(rewards))
    effort = Effort(**NOT_FEW, **NO_WALK)
    for reward, length in zip(rewards, lengths, strict=True):
        (found,) = everything(database, run_id, effort, min_reward=reward, max_reward=reward, sort="length")
        assert (found.reward, found.length) == (reward, length)
        beyond = {"min_advantage": math.nextafter(-reward, math.inf), "max_advantage": -reward}
        assert everything(database, run_id, effort, **beyond) == []
        (found,) = everything(database, run_id, effort, min_length=length, max_length=length, sort="reward")
        assert (found.reward, found.length) == (reward, length)
    assert len(everything(database, run_id, effort, finish_reason="a reason of its own")) == len(rewards)
    assert everything(database, run_id, effort, finish_reason="a reason") == []


def test_the_index_follows_what_is_recorded_again_and_deleted(database: Database, run_id: str) -> None:
    with database.writing() as connection:
        record_step(connection, run_id, changed_step(3, "omega"))
    assert {one.step for one in everything(database, run_id, search="omega")} == {3}
    assert len(everything(database, run_id, search="anew", search_in="prompts")) == GROUPS * SIZE
    assert all(one.step != 3 for one in everything(database, run_id, search="alpha"))
    with database.writing() as connection:
        for name in ("answers_search", "prompts_search"):
            connection.exec_driver_sql(f"INSERT INTO {name} ({name}, rank) VALUES ('integrity-check', 1)")
