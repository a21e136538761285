"""Scores of completions by functions that run in a box; whatever goes wrong costs the completions it concerns, alone.

A group is asked about in one call. When that fails, its completions are asked about one by one, each with a time of its
own, so that one that makes the function hang or die does not take the others' scores. What has no score has a reason,
and is never zero.
"""

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from core.tasks.sandbox.answers import Answer, read_answer
from core.tasks.sandbox.box import Box
from core.tasks.sandbox.failures import BoxFailure, LoadFailed, Refused, TimedOut
from core.tasks.sandbox.scored import Scored, Sheet
from core.tasks.task import Message

Form = Literal["chat", "text"]


@dataclass(frozen=True)
class Frame:
    """A prompt with the group of its completions.

    fields          the columns of its row, as JSON holds them
    completion_ids  the completions' tokens, for functions that ask for them; empty where nobody does
    """

    prompt: tuple[Message, ...]
    completions: tuple[str, ...]
    fields: Mapping[str, Any]
    completion_ids: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True)
class Patience:
    """Seconds for one group, for one completion of a group that failed, and for all the scoring of a step."""

    group: float = 5.0
    completion: float = 2.0
    step: float = 30.0


@dataclass(frozen=True)
class _Question:
    """One call: a function about some completions; rows: their places in the step."""

    function: str
    frames: tuple[Frame, ...]
    rows: range
    step: int
    max_steps: int


class SandboxedScorer:
    """Asks a box for scores.

    form         "chat" gives functions in TRL's form lists of messages, "text" strings
    whole_batch  functions that compare completions: they see a step's completions at once, and one failure leaves the
                 step without their scores
    """

    def __init__(
        self,
        box: Box,
        form: Form = "chat",
        patience: Patience = Patience(),
        whole_batch: Collection[str] = (),
    ) -> None:
        self._box, self._form, self._patience, self._whole = box, form, patience, frozenset(whole_batch)

    def score(self, frames: Sequence[Frame], functions: Sequence[str], *, step: int = 0, max_steps: int = 0) -> Scored:
        """What each function says of each completion of all frames, in their order.

        Raises InvalidInput where the box's file has changed or is gone, TypeError for fields that JSON cannot hold.
        """
        starts, begun = self._box.starts, time.monotonic()
        sheet = Sheet(functions, sum(len(frame.completions) for frame in frames))
        for question in self._questions(frames, functions, step, max_steps):
            self._group(sheet, question, begun + self._patience.step)
        return sheet.finished(self._box.starts - starts, time.monotonic() - begun)

    def _questions(
        self, frames: Sequence[Frame], functions: Sequence[str], step: int, max_steps: int
    ) -> Iterator[_Question]:
        """Group by group, so that what time there is makes whole groups; then those about all groups at once."""
        first = 0
        for frame in frames:
            rows = range(first, first + len(frame.completions))
            first = rows.stop
            for function in functions:
                if function not in self._whole:
                    yield _Question(function, (frame,), rows, step, max_steps)
        for function in functions:
            if function in self._whole:
                yield _Question(function, tuple(frames), range(first), step, max_steps)

    def _group(self, sheet: Sheet, question: _Question, deadline: float) -> None:
        whole = question.function in self._whole
        try:
            answer = self._ask(question, self._patience.step if whole else self._patience.group, deadline)
        except BoxFailure as failure:
            if whole or len(question.rows) == 1 or not _may_help(failure):
                sheet.miss(question.function, question.rows, str(failure))
                return
        else:
            sheet.take(question.function, question.rows, answer)
            return
        for single in _one_by_one(question):
            try:
                answer = self._ask(single, self._patience.completion, deadline)
            except BoxFailure as failure:
                sheet.miss(single.function, single.rows, str(failure))
            else:
                sheet.take(single.function, single.rows, answer)

    def _ask(self, question: _Question, seconds: float, deadline: float) -> Answer:
        left = deadline - time.monotonic()
        if left <= 0:
            raise self._spent()
        request = {
            "do": "score",
            "function": question.function,
            "form": self._form,
            "frames": [_as_json(frame) for frame in question.frames],
            "state": {"global_step": question.step, "max_steps": question.max_steps},
            "seed": f"{question.function} {question.step} {question.rows.start}",
        }
        self._box.start(left)
        try:
            reply = self._box.call(request, min(seconds, left))
        except TimedOut:
            raise (self._spent() if left < seconds else TimedOut(seconds)) from None
        return read_answer(reply, len(question.rows))

    def _spent(self) -> BoxFailure:
        return Refused(f"the {self._patience.step:.3g} s that a step has for scoring were spent")


def _may_help(failure: BoxFailure) -> bool:
    """Whether one completion alone may fare better than its group."""
    return failure.retry if isinstance(failure, Refused) else not isinstance(failure, LoadFailed)


def _one_by_one(question: _Question) -> Iterator[_Question]:
    (frame,) = question.frames
    for place, row in enumerate(question.rows):
        alone = replace(
            frame,
            completions=frame.completions[place : place + 1],
            completion_ids=frame.completion_ids[place : place + 1],
        )
        yield replace(question, frames=(alone,), rows=range(row, row + 1))


def _as_json(frame: Frame) -> dict[str, Any]:
    return {
        "prompt": frame.prompt,
        "completions": frame.completions,
        "completion_ids": frame.completion_ids or ((),) * len(frame.completions),
        "fields": dict(frame.fields),
    }
