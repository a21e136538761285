"""Calls a reward function as its own project would, and makes a plain answer of what it returns; inside the child.

A value that is no score is an error of that completion; a list of the wrong length is one of the whole call.
"""

import inspect
import math
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from core.tasks.sandbox.own_code import OWN_FOLDER, Offer
from core.tasks.sandbox.signatures import ASSUMED, INSIDE

if TYPE_CHECKING:
    import asyncio

Frame = Mapping[
    str, Any
]  # prompt: messages; completions: texts; completion_ids: one list each; fields: column -> value
Value = float | dict[str, str] | None  # a score; {"error": why there is none}; None: does not apply
LONGEST_REASON, LONGEST_EXTRA = 400, 10_000  # characters


class WrongAnswer(Exception):
    """A function cannot be used like this, whichever completions it is asked about."""


class Notebook:
    """What a function logs about `count` completions, as through TRL's `log_extra` and `log_metric`."""

    def __init__(self, count: int) -> None:
        self._count = count
        self.extra: dict[str, list[Any]] = {}
        self._metrics: dict[str, list[float]] = {}

    def log_extra(self, column: str, values: Sequence[Any]) -> None:
        plain = [_plain(value) for value in values]
        if len(plain) != self._count:
            raise ValueError(f"log_extra got {len(plain)} values of {column} for {self._count} completions")
        self.extra[str(column)] = plain

    def log_metric(self, name: str, value: float) -> None:
        self._metrics.setdefault(str(name), []).append(float(value))

    def note(self, row: int, details: Mapping[Any, Any]) -> None:
        """What a function says about one completion beside its score."""
        for name, value in details.items():
            self.extra.setdefault(str(name), [None] * self._count)[row] = _plain(value)

    @property
    def metrics(self) -> dict[str, float]:
        return {name: math.fsum(values) / len(values) for name, values in self._metrics.items()}


class Caller:
    """Calls the functions of one file, with one event loop for all that are asynchronous."""

    def __init__(self) -> None:
        self._loop: asyncio.Runner | None = None

    def score(self, offer: Offer, frames: Sequence[Frame], form: str, state: Mapping[str, int]) -> dict[str, Any]:
        """{"values": a Value for each completion of all frames, "extra": column -> values, "metrics": name -> value}.

        form   "chat": completions and prompts are lists of messages; "text": they are strings
        state  global_step and max_steps
        Raises WrongAnswer, and whatever the function raises.
        """
        notes = Notebook(sum(len(frame["completions"]) for frame in frames))
        call = {"trl": self._trl, "verl": self._verl, "ms-swift": self._swift}[offer.function.kind]
        values = call(offer, frames, notes, form, state)
        return {"values": values, "extra": notes.extra, "metrics": notes.metrics}

    def _trl(
        self, offer: Offer, frames: Sequence[Frame], notes: Notebook, form: str, state: Mapping[str, int]
    ) -> list[Value]:
        chat = form == "chat"
        given: dict[str, Any] = {
            "prompts": [_messages(frame) if chat else _text(frame) for frame, _ in _samples(frames)],
            "completions": [_reply(text) if chat else text for _, text in _samples(frames)],
            "completion_ids": [ids for frame in frames for ids in frame["completion_ids"]],
            "trainer_state": SimpleNamespace(**state),
            "log_extra": notes.log_extra,
            "log_metric": notes.log_metric,
        }
        return self._finished(offer, {**_columns(offer, frames), **given}, len(given["prompts"]))

    def _swift(
        self, offer: Offer, frames: Sequence[Frame], notes: Notebook, form: str, state: Mapping[str, int]
    ) -> list[Value]:
        texts = [text for _, text in _samples(frames)]
        given = {
            "completions": texts,
            "messages": [[*_messages(frame), *_reply(text)] for frame, text in _samples(frames)],
            "trainer_state": SimpleNamespace(**state),
        }
        return self._finished(offer, {**_columns(offer, frames), **given}, len(texts))

    def _verl(
        self, offer: Offer, frames: Sequence[Frame], notes: Notebook, form: str, state: Mapping[str, int]
    ) -> list[Value]:
        columns, values = _columns(offer, frames), list[Value]()
        for row, (_, text) in enumerate(_samples(frames)):
            given = {name: column[row] for name, column in columns.items()}
            try:
                found = self._awaited(offer.target(**given, solution_str=text))
            except Exception as error:
                values.append({"error": reason(error)})
                continue
            if isinstance(found, Mapping):
                notes.note(row, {name: value for name, value in found.items() if name != "score"})
                found = found.get("score", "nothing called score")
            values.append(_value(found))
        return values

    def _finished(self, offer: Offer, given: Mapping[str, Any], count: int) -> list[Value]:
        """What the function returns when it is given of all this what it takes."""
        takes = given if offer.function.takes_all else offer.takes
        found = self._awaited(offer.target(**{name: value for name, value in given.items() if name in takes}))
        if isinstance(found, (str, bytes, Mapping)) or not hasattr(type(found), "__iter__"):
            raise WrongAnswer(f"returned {_named(found)} instead of a list of scores")
        values = list(found)
        if len(values) != count:
            raise WrongAnswer(f"returned {len(values)} scores for {count} completions")
        return [_value(value) for value in values]

    def _awaited(self, found: Any) -> Any:
        if not inspect.isawaitable(found):
            return found
        import asyncio  # takes as long as all the rest of a child's start

        async def wait() -> Any:
            return await found

        self._loop = self._loop or asyncio.Runner()
        return self._loop.run(wait())


def score_each(scorer: Callable[[str, Mapping[str, Any]], float | None], frames: Sequence[Frame]) -> dict[str, Any]:
    """The same of a function that looks at one completion and the fields of its prompt."""
    values: list[Value] = []
    for frame, text in _samples(frames):
        try:
            values.append(_value(scorer(text, frame["fields"])))
        except Exception as error:
            values.append({"error": reason(error)})
    return {"values": values, "extra": {}, "metrics": {}}


def reason(error: BaseException) -> str:
    """The error in one line, with the place in the user's file where it came up."""
    try:
        said = str(error)
    except BaseException:  # the file's own class of errors
        said = ""
    where = [frame for frame in traceback.extract_tb(error.__traceback__) if f"/{OWN_FOLDER}/" in frame.filename]
    place = f" ({where[-1].filename.rpartition('/')[2]}, line {where[-1].lineno})" if where else ""
    return f"{type(error).__name__}{': ' if said else ''}{said[:LONGEST_REASON]}{place}"


def _samples(frames: Sequence[Frame]) -> Iterator[tuple[Frame, str]]:
    return ((frame, text) for frame in frames for text in frame["completions"])


def _columns(offer: Offer, frames: Sequence[Frame]) -> dict[str, list[Any]]:
    """Column -> a value for each completion, of the columns that the function is to have."""
    wanted = [*offer.function.columns, *offer.function.optional]
    if offer.function.takes_all:
        wanted = [*dict.fromkeys([*wanted, *(name for frame in frames for name in frame["fields"])])]
    fields = [{**ASSUMED, **_nested(frame["fields"]), **frame["fields"]} for frame in frames]
    there = [name for name in wanted if any(name in row for row in fields)]
    for name in offer.function.columns:
        if name not in there:
            raise WrongAnswer(f"asks for a column {name}, which the data does not have")
    return {
        name: [row.get(name) for row, frame in zip(fields, frames, strict=True) for _ in frame["completions"]]
        for name in there
    }


def _nested(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Columns that stand inside others."""
    held = {name: fields.get(outer) for name, outer in INSIDE.items()}
    return {name: outer[name] for name, outer in held.items() if isinstance(outer, Mapping) and name in outer}


def _messages(frame: Frame) -> list[dict[str, str]]:
    return [dict(message) for message in frame["prompt"]]


def _reply(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]


def _text(frame: Frame) -> str:
    """A prompt as one string: its only message, else every message under its role."""
    messages = frame["prompt"]
    if len(messages) == 1:
        return str(messages[0]["content"])
    return "\n\n".join(f"{message['role']}: {message['content']}" for message in messages)


def _value(found: Any) -> Value:
    if found is None:
        return None
    if not hasattr(type(found), "__float__"):  # numbers, and those of numpy and torch, have it
        return {"error": f"returned {_named(found)} instead of a number"}
    try:
        number = float(found)
    except Exception as error:
        return {"error": f"returned {_named(found)} that is no number: {reason(error)}"}
    return number if math.isfinite(number) else {"error": f"returned {number}"}


def _named(found: Any) -> str:
    return f"a value of type {type(found).__name__}" if found is not None else "None"


def _plain(value: Any) -> Any:
    """What JSON holds, of a value that a function logs."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if hasattr(type(value), "__float__"):
        number = float(value)
        return number if math.isfinite(number) else str(number)
    return str(value)[:LONGEST_EXTRA]
