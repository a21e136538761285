"""What goes to stdout, and what to stderr."""

import sys
from typing import Any

from core import documents


def show_result(as_json: bool, document: Any, text: str) -> None:
    sys.stdout.write((documents.to_json(document) if as_json else text) + "\n")


def say(text: str) -> None:
    sys.stderr.write(text + "\n")


def say_live(text: str) -> None:
    """One line that rewrites itself on a terminal, and a new line at most for each change elsewhere."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[2K{text}")
    elif text != getattr(say_live, "last", ""):
        sys.stderr.write(text + "\n")
    say_live.last = text  # type: ignore[attr-defined]


def complain(text: str) -> int:
    say(" ".join(text.split()))
    return 2
