"""Mathematical equivalence, by what math-verify's own documentation says it does."""

import threading
import time
from pathlib import Path

import pytest
from sandbox_support import HAD, frame

from core.tasks.rewards.library import library_reward
from core.tasks.sandbox.box import Box
from core.tasks.sandbox.scorer import SandboxedScorer
from core.tasks.sandbox.sources import Library

whole = library_reward("math", {}).score
tagged = library_reward("math", {"inside": "answer"}).score


# The README's example, its answers to frequent questions and its list of features.
@pytest.mark.parametrize(
    ("gold", "answer", "score"),
    [
        (r"${1,3} \cup {2,4}$", "${1,2,3,4}$", 1.0),
        ("$1 < x < 2$", "$(1,2)$", 1.0),
        ("$(1,2)$", "$1 < x < 2$", 0.0),
        ("$101$", "$a+2z = 2z + a = 101$", 1.0),
        ("$a+2z = 2z + a = 101$", "$101$", 0.0),
        ("1/3", "0.333333", 1.0),
        ("1", "$x = 1$", 1.0),
        ("0.1", "10%", 1.0),
        ("10", "10 cm", 1.0),
        ("$a < 2$", "$2 > a$", 1.0),
        ("1/3", r"$\frac13$", 1.0),
    ],
)
def test_documented_examples(gold: str, answer: str, score: float) -> None:
    assert whole(answer, {"answer": gold}) == score


@pytest.mark.parametrize(
    ("gold", "answer", "score"),
    [
        ("5", "So there are 3 and 2, and the answer is 5.", 1.0),
        ("5", "So there are 5, and the answer is 6.", 0.0),
        ("5", "", 0.0),
        ("5", "no idea", 0.0),
        (r"\frac{1}{2}", r"It is \boxed{0.5}", 1.0),
        ("(x+1)^2", "$x^2 + 2x + 1$", 1.0),
        ("x+1", "1+x", 1.0),
        ("x^2", "x*x", 1.0),
        ("x^2", "x^2 + 1", 0.0),
        (r"\sqrt{2}", r"\frac{2}{\sqrt{2}}", 1.0),
        ("5", "it is 5", 1.0),
    ],
)
def test_answers_in_the_forms_that_models_write(gold: str, answer: str, score: float) -> None:
    assert whole(answer, {"answer": gold}) == score


def test_words_are_no_products_of_letters() -> None:
    assert whole("Spari", {"answer": "Paris"}) is None
    assert whole("Spari", {"answer": "6"}) == 0.0


def test_an_answer_in_tags_is_read_there_alone() -> None:
    assert tagged("7 <answer>1/2</answer> 9", {"answer": "0.5"}) == 1.0
    assert tagged("0.5", {"answer": "0.5"}) == 0.0


def test_a_thread_without_alarms_scores_the_same() -> None:
    found: list[float | None] = []
    thread = threading.Thread(target=lambda: found.append(whole("$30/40$", {"answer": "3/4"})))
    thread.start()
    thread.join()
    assert found == [1.0]


def test_a_number_that_would_take_for_ever_is_given_up_inside_the_sandbox(tmp_path: Path) -> None:
    library = Library("core.tasks.rewards.library:scored_by", {"right": '{"use": "math"}'})
    begun = time.monotonic()
    with Box(library, HAD[0], allow_plain=True) as box:
        scored = SandboxedScorer(box).score([frame("$9^{9^{9^9}}$", "5", answer="5")], ["right"])
    assert [outcome.value for outcome in scored.outcomes["right"]] == [0.0, 1.0]
    assert time.monotonic() - begun < 30
