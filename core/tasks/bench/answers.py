"""A gold completion taken apart: the answer in it, and the same completion with another."""

import json
import re
from collections.abc import Callable
from typing import Any

# The last pair of tags with no other tag inside.
INNERMOST = re.compile(r"<([A-Za-z][\w-]*)>([^<>]*)</\1>(?!.*<([A-Za-z][\w-]*)>[^<>]*</\3>)", re.DOTALL)
OPENING = re.compile(r"<([A-Za-z][\w-]*)>")
MARKS = re.compile(r"(</?[A-Za-z][\w-]*>)")
NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")


def answer_part(text: str) -> str:
    """What stands in the last, innermost tags; the whole text where it has none."""
    found = INNERMOST.search(text)
    return (found[2] if found else text).strip()


def with_answer(gold: str, answer: str) -> str:
    """The completion with another answer in its tags; the answer alone where it has none."""
    found = INNERMOST.search(gold)
    return gold[: found.start(2)] + answer + gold[found.end(2) :] if found else answer


def tags_of(text: str) -> tuple[str, ...]:
    """The names of its tags, each once, in order."""
    return tuple(dict.fromkeys(OPENING.findall(text)))


def last_number(text: str) -> str:
    found = NUMBER.findall(text)
    return found[-1] if found else ""


def other_case(gold: str) -> str:
    """The same words in small letters, or in capitals where they are small; tags, keys and commands of LaTeX stay."""
    if "\\" in gold:
        return gold
    turn = str.lower if any(map(str.isupper, answer_part(gold))) else str.upper
    data = _json(gold)
    if data is not None:
        return json.dumps(_texts(data, turn), ensure_ascii=False)
    return "".join(part if MARKS.fullmatch(part) else turn(part) for part in MARKS.split(gold))


def other_spacing(gold: str) -> str:
    """The same with more space around the answer."""
    data = _json(gold)
    if data is not None:
        return json.dumps(data, ensure_ascii=False, indent=2)
    return f"\n{with_answer(gold, f' {answer_part(gold)}  ')} \n"


def _json(text: str) -> dict[str, Any] | list[Any] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict | list) else None


def _texts(data: Any, turn: Callable[[str], str]) -> Any:
    if isinstance(data, dict):
        return {key: _texts(value, turn) for key, value in data.items()}
    if isinstance(data, list):
        return [_texts(value, turn) for value in data]
    return turn(data) if isinstance(data, str) else data
