"""What a user's file offers when it runs: asked of the child, and taken as a stranger's text."""

from collections.abc import Mapping
from typing import Any

from core.tasks.sandbox.box import Box
from core.tasks.sandbox.failures import BrokenReply
from core.tasks.sandbox.signatures import OwnFunction, from_json

MOST_FUNCTIONS = 200


def list_functions(box: Box, seconds: float = 20.0) -> tuple[OwnFunction, ...]:
    """The reward functions of the box's file. Raises BoxFailure."""
    described = box.call({"do": "functions"}, seconds).get("functions")
    if not isinstance(described, list) or len(described) > MOST_FUNCTIONS:
        raise BrokenReply("gave no list of functions")
    try:
        return tuple(map(from_json, described))
    except (ValueError, TypeError, KeyError):
        raise BrokenReply("described its functions in another form than was asked for") from None


def list_rows(box: Box, start: int, count: int, seconds: float = 20.0) -> tuple[tuple[Mapping[str, Any], ...], int]:
    """Rows of the file's `train_dataset` from `start` on, at most `count`, and how many it has. Raises BoxFailure."""
    reply = box.call({"do": "rows", "start": start, "count": count}, seconds)
    rows, total = reply.get("rows"), reply.get("total")
    if not isinstance(rows, list) or len(rows) > count or not all(isinstance(row, dict) for row in rows):
        raise BrokenReply("gave no rows")
    if not isinstance(total, int) or total < 0:
        raise BrokenReply("did not say how many rows it has")
    return tuple(rows), total
