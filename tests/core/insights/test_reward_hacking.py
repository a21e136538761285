"""Signs that a reward is gamed or a check is wrong; and token data, packed and read."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from core.config import make_config
from core.errors import InvalidInput
from core.insights.reward_hacking import JUMP_STEPS, repeated_share, scan_step
from core.models.tokens import LETTERS, load_tokens
from core.processes import identify
from core.records.rollout import Completion, Group, RewardScore
from core.records.run import Failure
from core.records.status import RunStatus
from core.records.step import Step
from core.store import Database, columnar
from core.store.rollouts import rescan
from core.store.rollouts.prompt_history import MOST_VISITS, visits
from core.store.rollouts.record import record_step
from core.store.runs import lifecycle
from core.store.schema import evidence
from core.store.search.filter import CompletionFilter
from core.store.search.query import evidence_counts, list_completions
from core.store.token_codec import decode_floats, decode_ids, encode_floats, encode_ids

PLAIN = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"


def one(index: int, text: str, reward: float | None, length: int = 40, **scores: float) -> Completion:
    given = tuple(RewardScore(name, value) for name, value in scores.items())
    return Completion(index, text, "stop", reward, 0.0, given, length)


def a_step(*completions: Completion, number: int = 1, **fields: Any) -> Step:
    return Step(number, {}, {}, {}, (Group(0, "What?", (), fields, completions),))


def kinds(step: Step, **earlier: Any) -> set[tuple[int, str]]:
    return {(found.index, found.kind) for found in scan_step(step, **earlier)}


def test_short_and_repetitive_answers_with_a_high_reward() -> None:
    loop = "and so on it goes " * 20
    step = a_step(one(0, "yes", 1.0, length=3), one(1, loop, 1.0), one(2, PLAIN, 0.0), one(3, "no", 0.0, length=3))
    assert kinds(step) == {(0, "short"), (1, "repetitive")}
    assert repeated_share(PLAIN * 1) < 0.5 < repeated_share(loop)


def test_the_reference_answer_without_the_reward() -> None:
    texts = ("I say 42.", "I say 142", "I say 42.5", "it is <answer>42</answer>")
    step = a_step(*(one(place, text, 0.0) for place, text in enumerate(texts)), one(4, "x", 1.0), answer=42)
    assert kinds(step) == {(0, "answer-unrewarded"), (3, "answer-unrewarded")}
    assert kinds(a_step(one(0, "42", 0.0), answer={"a": 42})) == set()


def test_the_right_form_around_the_wrong_content() -> None:
    step = a_step(one(0, "a", 0.2, correctness=0.0, format=1.0), one(1, "b", 1.0, correctness=1.0, format=1.0))
    assert kinds(step) == {(0, "form-only")}


def test_near_duplicates_in_a_group_and_not_among_short_answers() -> None:
    step = a_step(one(0, PLAIN, 0.0), one(1, PLAIN + " more", 0.0), one(2, "yes", 1.0), one(3, "yes", 1.0))
    assert kinds(step) == {(1, "near-duplicate")}


def test_a_sudden_jump_of_one_score() -> None:
    step = a_step(one(0, "a", 1.0, style=1.0), one(1, "b", 0.0, style=0.0))
    assert kinds(step, earlier=[{"style": 0.1}] * JUMP_STEPS) == {(0, "jump")}
    assert kinds(step, earlier=[{"style": 0.4}] * JUMP_STEPS) == set()
    assert kinds(step, earlier=[{"style": 0.1}]) == set()  # too early to tell


def test_unscored_steps_and_huge_texts_are_looked_at_in_no_time() -> None:
    assert scan_step(a_step(one(0, "x", None))) == []
    scan_step(a_step(*(one(place, "word " * 500_000, 1.0) for place in range(4)), answer="word word"))


def test_evidence_and_prompts_are_kept_with_the_run(database: Database) -> None:
    config = make_config({"model": "smollm2-135m", "recipe": "addition"})
    with database.writing() as connection:
        ids = [lifecycle.enqueue(connection, config).id for _ in range(2)]
        for run_id in ids:
            for number in range(1, 7):
                high = float(number > 4)
                step = a_step(one(0, "a", high, style=high), one(1, "b", 0.0, style=0.0), number=number)
                record_step(connection, run_id, step)
        counts = evidence_counts(connection, ids[0])
        page, _ = list_completions(connection, ids[0], CompletionFilter(evidence="jump", sort="oldest"))
        assert counts == {"jump": len(page)}
        assert [(found.step, found.index) for found in page] == [(5, 0), (6, 0)]
        assert "went from 0.00 to 0.50" in page[0].evidence["jump"]
        asked = visits(connection, page[0].id)
        assert [(visit.run, visit.step) for visit in asked] == [
            (run_id, number) for run_id in ids for number in range(1, 7)
        ]
        assert [visit.mean for visit in asked][4:7] == [0.5, 0.5, 0.0]
        assert visits(connection, 10**9) == []


def test_a_long_run_leaves_room_for_the_others_of_its_prompt(database: Database) -> None:
    config = make_config({"model": "smollm2-135m", "recipe": "addition"})
    with database.writing() as connection:
        short, long = (lifecycle.enqueue(connection, config).id for _ in range(2))
        for run_id, steps in ((short, 3), (long, MOST_VISITS)):
            for number in range(1, steps + 1):
                record_step(connection, run_id, a_step(one(0, "a", 0.0, style=0.0), number=number))
        (first, *_), _ = list_completions(connection, short, CompletionFilter(limit=1))
        found = visits(connection, first.id)
    assert [visit.step for visit in found if visit.run == short] == [1, 2, 3]
    assert [visit.step for visit in found if visit.run == long] == list(range(4, MOST_VISITS + 1))


def test_a_run_is_looked_through_again(database: Database) -> None:
    """What a version without the look recorded is found later, the same as if it had been found at once."""
    config = make_config({"model": "smollm2-135m", "recipe": "addition"})
    with database.writing() as connection:
        run_id = lifecycle.enqueue(connection, config).id
        lifecycle.claim(connection, run_id, identify())
        for number in range(1, 7):
            high = float(number > 4)
            step = a_step(one(0, PLAIN, high, style=high), one(1, PLAIN + " more", 0.0, style=0.0), number=number)
            record_step(connection, run_id, step)
        at_once = everything_found(connection)
        connection.execute(sa.delete(evidence))
        columnar.seal(connection, 1, rows=4)
    with pytest.raises(InvalidInput, match="at work"):
        rescan.review(database, run_id)
    with database.writing() as connection:
        lifecycle.move(connection, run_id, RunStatus.FAILED, failure=Failure("kind", "It ended.", "Resume it."))
    assert rescan.review(database, run_id) == len(at_once) > 6
    assert rescan.review(database, run_id) == len(at_once)
    with database.reading() as connection:
        assert everything_found(connection) == at_once
        assert columnar.sealed(connection, 1) == 0  # they said that nothing was found


def everything_found(connection: sa.Connection) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in connection.execute(sa.select(evidence).order_by(*evidence.primary_key))]


def test_token_data_is_compact_and_comes_back() -> None:
    ids, values = (5, 65_535, 0), (-0.25, -8.0, -1e-9, -1e9, math.nan)
    assert len(encode_ids(ids)) == 1 + 2 * 3
    assert len(encode_ids((70_000,))) == 1 + 4
    assert decode_ids(encode_ids(ids)) == ids
    assert decode_ids(encode_ids((70_000, 1))) == (70_000, 1)
    back = decode_floats(encode_floats(values))
    assert back[:3] == (-0.25, -8.0, 0.0)
    assert back[3] == -65504.0
    assert math.isnan(back[4])
    assert (decode_ids(b""), decode_ids(encode_ids(())), decode_floats(encode_floats(()))) == ((), (), ())
    assert decode_ids((7).to_bytes(4, "little") * 2) == (7, 7)  # as older versions wrote them


@pytest.mark.parametrize("style", ["bytes", "pieces"])
def test_tokens_have_their_text_or_none(tmp_path: Path, style: str) -> None:
    """A character in two tokens belongs to the second; what does not come out as stored is not shown at all."""
    if style == "bytes":
        letter = {byte: letter for letter, byte in LETTERS.items()}
        words = ["Ġhi", *(letter[byte] for byte in "é".encode())]
        decoder: dict[str, Any] = {"type": "ByteLevel"}
    else:
        words, decoder = ["\u2581hi", "<0xC3>", "<0xA9>"], {"type": "Sequence"}
    vocabulary = {word: place for place, word in enumerate(words)}
    added = [{"id": 3, "content": "<|end|>"}]
    document = {"model": {"vocab": vocabulary}, "decoder": decoder, "added_tokens": added}
    (tmp_path / "tokenizer.json").write_text(json.dumps(document), encoding="utf-8")
    table = load_tokens(tmp_path)
    assert table is not None
    assert table.texts((0, 1, 2, 3), " hié<|end|>") == [" hi", "", "é", "<|end|>"]
    assert table.texts((0, 3), "hi<|end|>") == ["hi", "<|end|>"]
    assert table.texts((0, 3), "ho<|end|>") is None
    assert table.texts((9,), "x") is None
    assert load_tokens(tmp_path / "nowhere") is None
