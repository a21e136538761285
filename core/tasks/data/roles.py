"""What each column is probably for, with the reason in words: a guess that a person sees and can change."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from core.errors import InvalidInput
from core.tasks.data.columns import Column
from core.tasks.data.rows import Row

Role = Literal["prompt", "answer", "system", "messages", "field", "unused"]

# Names that people give such columns, the plainest first.
PROMPT = ("prompt", "question", "problem", "query", "instruction", "task", "input", "user", "text")
ANSWER = (
    "answer",
    "final_answer",
    "ground_truth",
    "solution",
    "expected",
    "gold",
    "target",
    "reference",
    "label",
    "output",
    "response",
    "completion",
)
SYSTEM = ("system", "system_prompt", "system_message")
MESSAGES = ("messages", "prompt", "conversation", "conversations", "chat", "dialog")


@dataclass(frozen=True)
class RoleGuess:
    """A column's role: "prompt", "answer", "system" and "messages" at most once each, "field" for what rewards and
    templates may read besides, "unused" for what no task can use.

    reason  "named 'question' and holds the longest text"
    """

    column: str
    role: Role
    reason: str


def guess_roles(columns: Sequence[Column], rows: Sequence[Row]) -> tuple[RoleGuess, ...]:
    """A role for each column, in the columns' order; `rows` are some to judge by."""
    lengths = {column.name: _mean_length(column.name, rows) for column in columns if _main_type(column) == "text"}
    guesses: dict[str, RoleGuess] = {}
    for column in columns:
        if column.media:
            guesses[column.name] = RoleGuess(column.name, "unused", f"holds {column.media}, which no task can use")
    _guess_messages(columns, guesses)
    _guess_named(columns, guesses, "system", SYSTEM, {"text"}, lengths)
    if not _has(guesses, "messages"):
        _guess_named(columns, guesses, "prompt", PROMPT, {"text"}, lengths)
    _guess_named(columns, guesses, "answer", ANSWER, {"text", "number", "boolean"}, lengths)
    if not _has(guesses, "messages") and not _has(guesses, "prompt"):
        _guess_longest(guesses, lengths)
    if not _has(guesses, "answer"):
        _guess_only_other(columns, guesses)
    return tuple(guesses.get(each.name) or RoleGuess(each.name, "field", _field_reason(each)) for each in columns)


def refuse_media(column: Column) -> None:
    """Raises InvalidInput for a column of images, audio, video or bytes."""
    if column.media:
        problem = f"a column of {column.media}, which no task can use"
        raise InvalidInput("column", column.name, problem, "choose a column of text")


def _guess_messages(columns: Sequence[Column], guesses: dict[str, RoleGuess]) -> None:
    chats = [column.name for column in columns if _main_type(column) == "messages" and column.name not in guesses]
    named = next((name for wanted in MESSAGES for name in chats if name.lower() == wanted), "")
    if chats:
        name = named or chats[0]
        reason = f"named '{name}' and holds chats" if named else "holds chats: lists of messages with role and content"
        guesses[name] = RoleGuess(name, "messages", reason)


def _guess_named(
    columns: Sequence[Column],
    guesses: dict[str, RoleGuess],
    role: Role,
    names: Sequence[str],
    types: set[str],
    lengths: dict[str, float],
) -> None:
    """The free column of a fitting type with the plainest of these names: the same name, or one with that word."""
    free = [column.name for column in columns if column.name not in guesses and _main_type(column) in types]
    for fits in (str.__eq__, _has_word):
        for wanted in names:
            for name in free:
                if fits(name.lower(), wanted):
                    longest = role == "prompt" and lengths[name] == max(lengths.values())
                    reason = f"named '{name}'" + " and holds the longest text" * longest
                    guesses[name] = RoleGuess(name, role, reason)
                    return


def _has_word(name: str, wanted: str) -> bool:
    words = name.replace("-", "_").replace(" ", "_").split("_")
    return wanted in words


def _guess_longest(guesses: dict[str, RoleGuess], lengths: dict[str, float]) -> None:
    free = {name: length for name, length in lengths.items() if name not in guesses and length}
    if free:
        name = max(free, key=lambda each: free[each])
        reason = f"holds the longest text ({free[name]:,.0f} characters on average)"
        guesses[name] = RoleGuess(name, "prompt", reason)


def _guess_only_other(columns: Sequence[Column], guesses: dict[str, RoleGuess]) -> None:
    """With one column left beside the prompt, that is the answer."""
    free = [each for each in columns if each.name not in guesses]
    if len(free) == 1 and _main_type(free[0]) in {"text", "number", "boolean"}:
        guesses[free[0].name] = RoleGuess(free[0].name, "answer", "the only other column")


def _field_reason(column: Column) -> str:
    return f"holds {' and '.join(column.types)}"


def _has(guesses: dict[str, RoleGuess], role: Role) -> bool:
    return any(guess.role == role for guess in guesses.values())


def _main_type(column: Column) -> str:
    """The most frequent type that is not "nothing"."""
    return next((each for each in column.types if each != "nothing"), "nothing")


def _mean_length(name: str, rows: Sequence[Row]) -> float:
    texts = [value for row in rows if isinstance(value := row.get(name), str)]
    return fmean(map(len, texts)) if texts else 0.0
