"""Scores for answers that are one JSON object."""

import json
from collections.abc import Mapping
from typing import Any


def is_one_json_object(completion: str, fields: Mapping[str, Any]) -> float:
    """1.0 when the whole completion is one JSON object with exactly the wanted keys, 0.5 with other keys, else 0.0."""
    given = _object(completion)
    if given is None:
        return 0.0
    return 1.0 if set(given) == set(fields["answer"]) else 0.5


def fields_match(completion: str, fields: Mapping[str, Any]) -> float:
    """The share of wanted keys with the wanted value, from 0.0 to 1.0. Numbers may be written as text."""
    given, wanted = _object(completion), fields["answer"]
    if given is None:
        return 0.0
    right = sum(str(given.get(key)).strip().casefold() == str(value).casefold() for key, value in wanted.items())
    return right / len(wanted)


def _object(completion: str) -> dict[str, Any] | None:
    try:
        given = json.loads(completion.strip())
    except (ValueError, RecursionError):
        return None
    return given if isinstance(given, dict) else None
