"""Whether an answer is mathematically the expected one."""

import logging
import re
import threading
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from core.tasks.rewards.packages import imported
from core.tasks.rewards.reward import Expecting

PARSING, COMPARING = 3, 3  # seconds for one answer
LONGEST = 20_000  # characters of an answer; the end is what is read
LONGEST_PLAIN = 500  # characters of an expression that no dollars mark as one
LETTER = re.compile(r"[A-Za-z]")
KNOWN = re.compile(r"\\[A-Za-z]+|\b(?:sin|cos|tan|log|exp|sqrt|min|max)\b")
PROSE = re.compile(r"[A-Za-z]{3}|[A-Za-z]{2}\b.*\b[A-Za-z]{2}")
MARKS = re.compile(r"[$]|\\boxed|\\\[|\\\(")
PACKAGES: Mapping[str, str] = {"math_verify": "train"}


class MathEquivalent(Expecting):
    """1 for an answer that means the same.

    A text without tags is searched as math-verify does it: boxed answers, LaTeX between dollars, the last expression.
    About 3,000 answers a second where they are whole numbers and 20 where they are polynomials; what was asked before
    is remembered.
    """

    about = "1 when the answer is mathematically the expected one: 1/2, 0.5 and \\frac{1}{2} are the same."
    source = "math-verify 0.9 (Hugging Face)"
    packages = PACKAGES

    def score(self, text: str, fields: Mapping[str, Any]) -> float | None:
        """None where the expected text is no mathematics. Raises InvalidInput without the package."""
        given = self.given(text)
        if given is None:
            return 0.0
        return _equivalent(self.wanted.fill(fields), given[-LONGEST:])


@lru_cache(maxsize=50_000)
def _equivalent(gold: str, answer: str) -> float | None:
    wanted = _parsed(gold)
    if not wanted:
        return None
    if not answer.strip():
        return 0.0
    given = _parsed(answer)
    seconds = COMPARING if _alarms_work() else None
    return float(bool(given) and imported("math_verify", "train").verify(wanted, given, timeout_seconds=seconds))


@lru_cache(maxsize=10_000)
def _parsed(text: str) -> list[Any]:
    """What math-verify finds, and a formula with letters that no dollars mark as one: of "1+x" it would take the 1."""
    plain = text.strip()
    if not MARKS.search(plain) and len(plain) <= LONGEST_PLAIN and _is_formula(plain):
        return _found(f"${plain}$") or _found(text)
    return _found(text)


def _is_formula(text: str) -> bool:
    """Whether letters stand for quantities. Of "Paris" LaTeX would make a product, equal to that of "Spari"."""
    rest = KNOWN.sub(" ", text)
    return bool(LETTER.search(text)) and not PROSE.search(rest)


def _found(text: str) -> list[Any]:
    seconds = PARSING if _alarms_work() else None
    found: list[Any] = imported("math_verify", "train").parse(text, parsing_timeout=seconds)
    return found


def _alarms_work() -> bool:
    """math-verify stops what takes too long by an alarm, which only a process's main thread can have.

    A child that scores does so in its main thread; elsewhere there is no limit, and math-verify would say so each time.
    """
    if threading.current_thread() is threading.main_thread():
        return True
    for name in ("math_verify.parser", "math_verify.grader"):
        logging.getLogger(name).setLevel(logging.ERROR)
    return False
