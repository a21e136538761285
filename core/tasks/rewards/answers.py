"""Scores for an answer between <answer> tags."""

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

ANSWER = re.compile(r"<answer>(.*?)</answer>", re.DOTALL)


def tagged_answer(completion: str) -> str | None:
    """The text between the last pair of answer tags, or None without one."""
    found = ANSWER.findall(completion)
    return found[-1].strip() if found else None


def has_one_answer(completion: str, fields: Mapping[str, Any]) -> float:
    """1.0 when the completion holds exactly one pair of answer tags and ends with it, else 0.0."""
    tags = len(re.findall(r"</?answer>", completion))
    return float(tags == 2 and bool(ANSWER.search(completion)) and completion.strip().endswith("</answer>"))


def answer_is(completion: str, fields: Mapping[str, Any]) -> float:
    """1.0 when the tagged answer equals `fields["answer"]` as a number, else 0.0. No tags, no score above 0.0."""
    given = tagged_answer(completion)
    if given is None:
        return 0.0
    return float(_number(given) == _number(str(fields["answer"])) is not None)


def _number(text: str) -> Decimal | None:
    """The number a text consists of; thousands separators and a currency sign are overlooked."""
    cleaned = text.strip().lstrip("$").replace(",", "").rstrip(".")
    if not re.fullmatch(r"[-+]?\d{1,40}(\.\d{1,40})?", cleaned):
        return None
    try:
        return Decimal(cleaned)
    except InvalidOperation:
        return None
