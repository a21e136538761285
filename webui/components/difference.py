"""Two texts word by word: what only one of them has is marked."""

import difflib
import re

from core.units import thin
from webui.present import marked

WORDS = re.compile(r"\s+|\w+|[^\w\s]")
MOST_WORDS = 4000  # of each text that are compared; the time grows with their product


def difference(left: str, right: str) -> str:
    """One text in which the words of `left` alone are struck out and those of `right` alone underlined."""
    one, other = WORDS.findall(left)[: MOST_WORDS + 1], WORDS.findall(right)[: MOST_WORDS + 1]
    cut = len(one) > MOST_WORDS or len(other) > MOST_WORDS
    one, other = one[:MOST_WORDS], other[:MOST_WORDS]
    pieces = []
    for kind, a, b, c, d in difflib.SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        if kind == "equal":
            pieces.append(marked("".join(one[a:b])))
            continue
        if b > a:
            pieces.append(f"<del>{marked(''.join(one[a:b]))}</del>")
        if d > c:
            pieces.append(f"<ins>{marked(''.join(other[c:d]))}</ins>")
    note = f'<p class="soft">The first {thin(MOST_WORDS)} words of each are compared.</p>' if cut else ""
    body = "".join(pieces)
    first = "\n" if body.startswith("\n") else ""
    return f'<pre class="said difference" dir="auto">{first}{body}</pre>{note}'
