"""What people type into a search box, as SQLite's full-text query language (FTS5)."""

import re

from core.errors import InvalidInput

PIECE = re.compile(r'"([^"]*)"(\*?)|(\S+)')
MOST_PIECES = 20


def match_query(text: str) -> str:
    """Every word must occur; "quoted words" next to each other; beginning* finds what begins so.

    Signs only part words, as in the index: 2+5 is the word 2 beside the word 5. Raises InvalidInput where no word is.
    """
    wanted = []
    for quoted, quoted_star, plain in PIECE.findall(text.replace("\0", " "))[:MOST_PIECES]:
        words = quoted or plain.rstrip("*")
        star = "*" if quoted_star or (plain.endswith("*") and words) else ""
        if any(character.isalnum() for character in words):
            escaped = words.replace('"', '""')
            wanted.append(f'"{escaped}"{star}')
    if not wanted:
        raise InvalidInput("search", text, "which holds no word", 'write words, "a phrase" or a beginning*')
    return " ".join(wanted)
