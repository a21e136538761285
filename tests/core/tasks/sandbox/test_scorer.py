"""Scores that come out of a box: groups, what is asked again, time, what is logged, and when a run must stop."""

import time
from pathlib import Path

import pytest
from sandbox_support import box_around, every_level, frame

from core.errors import InvalidInput
from core.tasks.sandbox.answers import Outcome, read_answer
from core.tasks.sandbox.failures import BrokenReply
from core.tasks.sandbox.scored import Scored
from core.tasks.sandbox.scorer import Frame, Patience, SandboxedScorer
from core.tasks.sandbox.wording import clean

MIXED = """
import os, time

def length(completions, **kwargs):
    for completion in completions:
        text = completion[0]["content"]
        if text == "raise":
            raise ValueError("bad text")
        if text == "exit":
            os._exit(4)
        if text == "hang":
            time.sleep(3600)
    return [float(len(completion[0]["content"])) for completion in completions]

def rank(completions, **kwargs):
    texts = [completion[0]["content"] for completion in completions]
    if "raise" in texts:
        raise ValueError("bad text")
    return [sorted(texts).index(text) for text in texts]
"""
PATIENCE = Patience(group=0.6, completion=0.3, step=20.0)


def values(scored: Scored, function: str) -> list[float | None]:
    return [outcome.value for outcome in scored.outcomes[function]]


@every_level
def test_one_bad_completion_takes_no_other_score(level, tmp_path: Path) -> None:
    frames = [frame("a", "raise", "abc"), frame("exit", "ab"), frame("abcd", "hang"), frame("abcde")]
    with box_around(MIXED, tmp_path, level) as box:
        scored = SandboxedScorer(box, patience=PATIENCE).score(frames, ["length"])
    assert values(scored, "length") == [1.0, None, 3.0, None, 2.0, 4.0, None, 5.0]
    errors = [outcome.error for outcome in scored.outcomes["length"]]
    assert errors[1] == "ValueError: bad text (rewards.py, line 8)"
    assert errors[3] == "the process ended with exit code 4"
    assert errors[6] == "took longer than 0.3 s and was ended"
    assert scored.counts == {"scored": 5, "unscored": 3}
    assert scored.restarts == 4  # the group and the completion, of each of the two that ended the child


def test_functions_that_compare_see_all_at_once_and_fail_at_once(tmp_path: Path) -> None:
    with box_around(MIXED, tmp_path) as box:
        scorer = SandboxedScorer(box, patience=PATIENCE, whole_batch=["rank"])
        scored = scorer.score([frame("b", "a"), frame("d", "c")], ["rank", "length"])
        assert values(scored, "rank") == [1.0, 0.0, 3.0, 2.0]
        assert values(scored, "length") == [1.0] * 4
        failed = scorer.score([frame("b", "raise"), frame("d", "c")], ["rank"])
    assert values(failed, "rank") == [None] * 4
    assert [*failed.causes.values()] == [4]


def test_when_the_time_of_a_step_is_over_the_rest_is_unscored(tmp_path: Path) -> None:
    patience = Patience(group=0.4, completion=0.3, step=1.2)
    begun = time.monotonic()
    with box_around(MIXED, tmp_path) as box:
        frames = [frame("a"), frame(*["hang"] * 8), frame("b")]
        scored = SandboxedScorer(box, patience=patience).score(frames, ["length"])
    assert time.monotonic() - begun < 3
    assert values(scored, "length") == [1.0, *[None] * 9]
    assert scored.outcomes["length"][-1].error == "the 1.2 s that a step has for scoring were spent"
    assert "took longer than 0.3 s and was ended" in scored.causes


LOGS = """
import random

def noted(completions, trainer_state, log_extra, log_metric):
    log_extra("length", [len(completion[0]["content"]) for completion in completions])
    log_extra("odd", [float("nan")] * len(completions))
    log_metric("step", trainer_state.global_step / trainer_state.max_steps)
    return [None] * len(completions)

def drawn(completions, **kwargs):
    return [random.random() for _ in completions]
"""


def test_what_functions_log_comes_back(tmp_path: Path) -> None:
    with box_around(LOGS, tmp_path) as box:
        scored = SandboxedScorer(box).score([frame("a", "bc"), frame("def")], ["noted"], step=3, max_steps=4)
    assert scored.extra == {"length": (1, 2, 3), "odd": ("nan",) * 3}
    assert scored.metrics == {"step": 0.75}
    assert set(scored.outcomes["noted"]) == {Outcome(None, None)}
    assert scored.counts == {"does not apply": 3}


def test_a_function_that_draws_draws_the_same_for_the_same_step(tmp_path: Path) -> None:
    with box_around(LOGS, tmp_path) as box:
        scorer = SandboxedScorer(box)
        first = values(scorer.score([frame("a"), frame("b")], ["drawn"], step=1), "drawn")
        other = values(scorer.score([frame("a"), frame("b")], ["drawn"], step=2), "drawn")
        box.restart()
        again = values(scorer.score([frame("a"), frame("b")], ["drawn"], step=1), "drawn")
    assert first == again != other
    assert first[0] != first[1]


def test_a_changed_file_is_not_run(tmp_path: Path) -> None:
    box = box_around(LOGS, tmp_path)
    (tmp_path / "rewards.py").write_text("raise SystemExit")
    with pytest.raises(InvalidInput, match="has changed since it was agreed to"):
        SandboxedScorer(box).score([frame("a")], ["drawn"])


def test_text_that_json_escapes_arrives_as_it_was(tmp_path: Path) -> None:
    text = 'a "quoted" \\ line\n\x00 \ud800 and the rest of it: ü'
    source = "def same(completions, text, **kwargs):\n    return [c == t for c, t in zip(completions, text)]\n"
    with box_around(source, tmp_path) as box:
        scored = SandboxedScorer(box, form="text").score([Frame((), (text,), {"text": text})], ["same"])
    assert values(scored, "same") == [1.0]


@pytest.mark.parametrize(
    "reply",
    [
        {},
        {"values": [1.0], "extra": {}, "metrics": {}},
        {"values": {"0": 1.0, "1": 1.0}, "extra": {}, "metrics": {}},
        {"values": [1.0, 1.0], "extra": [], "metrics": {}},
    ],
)
def test_a_reply_of_another_shape_is_no_answer(reply: dict) -> None:
    with pytest.raises(BrokenReply):
        read_answer(reply, 2)


def test_of_a_forged_reply_only_what_has_the_right_shape_is_taken() -> None:
    forged = {
        "values": [float("nan"), "1.0", True, 10**400, {"error": "x" * 5000}, {"error": 1}],
        "extra": {"short": [1], "text": "abcdef", "good": [1, 2, 3, 4, 5, 6]},
        "metrics": {"infinite": float("inf"), "text": "1", "good": 2},
    }
    answer = read_answer(forged, 6)
    assert [outcome.value for outcome in answer.outcomes] == [None, None, 1.0, None, None, None]
    assert all(outcome.error for outcome in answer.outcomes if outcome.value is None)
    assert len(answer.outcomes[4].error or "") == 600
    assert (answer.extra, answer.metrics) == ({"good": (1, 2, 3, 4, 5, 6)}, {"good": 2.0})


ODD = """
def named(completions, log_extra, log_metric, **kwargs):
    log_extra("\\x1b[2Jcolumn" + "x" * 1000, ["two\\nlines\\x1b[0m", "\\ud800 half", 1 << 70, {"a": "\\x00"}])
    log_metric("\\u202emetric\\r\\n", 1.0)
    return [1.0] * len(completions)
"""


def test_names_and_texts_that_functions_log_are_fit_for_a_page(tmp_path: Path) -> None:
    with box_around(ODD, tmp_path) as box:
        scored = SandboxedScorer(box).score([frame("a", "b", "c", "d")], ["named"])
    ((column, values),) = scored.extra.items()
    assert column.startswith(r"\x1b[2Jcolumnxxx")
    assert len(column) == 100
    assert values == ("two\nlines\\x1b[0m", "\\ud800 half", str(1 << 70), "{'a': '\\x00'}")
    assert scored.metrics == {"\\u202emetric  ": 1.0}


@pytest.mark.parametrize(
    ("text", "longest", "lines", "wanted"),
    [
        ("plain, ü and 漢字", 99, False, "plain, ü and 漢字"),
        ("a\tb\nc\u2028d\xa0e", 99, False, "a b c d e"),
        ("a\tb\nc\x0b\x1b[1m", 99, True, "a\tb\nc \\x1b[1m"),
        ("\x9b31m \u2066 \ud83d \x7f", 99, True, "\\x9b31m \\u2066 \\ud83d \\x7f"),
        ("abcdef", 4, False, "abc…"),
        ("abcd", 4, False, "abcd"),
        ("\x00" * 100, 6, False, "\\x00\\…"),
        ("", 4, False, ""),
    ],
)
def test_a_strangers_text_has_nothing_unseen_in_it(text: str, longest: int, lines: bool, wanted: str) -> None:
    assert clean(text, longest, lines) == wanted
