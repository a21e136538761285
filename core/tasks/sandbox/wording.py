"""A stranger's text, made fit for a log, a terminal and a page: nothing in it moves a cursor or hides what it says."""

MARGIN = 4  # characters looked at for each that may stay: escapes of a terminal are longer than what they stand for


def clean(text: str, longest: int, lines: bool = False) -> str:
    r"""The text without anything that is not seen, cut to this many characters and then marked with "…".

    lines  line breaks and tabs stay; otherwise they become one space
    What else has no look of its own (control characters, escapes of a terminal, marks that turn the direction of text,
    half characters) is written as Python writes it: "\x1b[31m".
    """
    kept = "\n\t" if lines else ""
    if len(text) <= longest and text.isprintable():
        return text
    seen = "".join(_seen(character, kept) for character in text[: longest * MARGIN])
    return seen if len(seen) <= longest and len(text) <= longest * MARGIN else f"{seen[: longest - 1]}…"


def _seen(character: str, kept: str) -> str:
    if character.isprintable() or character in kept:
        return character
    if character.isspace():
        return " "
    return character.encode("unicode_escape", "backslashreplace").decode("ascii")
