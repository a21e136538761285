"""A task's rewards asked about completions, each where its kind belongs.

Rewards of the library are built inside one child, each user's file runs in a child of its own, judges and programs are
asked from outside, and rewards that are plain functions of this process are called here. What has no score has a
reason, and nothing that a reward does ends more than its own score.
"""

import logging
import math
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from core.errors import GrouperError
from core.tasks.rewards.batch import BatchScorer
from core.tasks.rewards.library import outside_reward
from core.tasks.sandbox.answers import Outcome
from core.tasks.sandbox.box import Box
from core.tasks.sandbox.levels import PLAIN, Level, need_consent
from core.tasks.sandbox.probe import probe
from core.tasks.sandbox.scored import Scored
from core.tasks.sandbox.scorer import Form, Frame, Patience, SandboxedScorer
from core.tasks.sandbox.sources import Library, OwnFile
from core.tasks.task import LibraryCode, OutsideCode, OwnCode, Reward

log = logging.getLogger(__name__)

BUILDER = "core.tasks.rewards.library:scored_by"


def runs_foreign_code(reward: Reward) -> bool:
    """Whether it runs what users or models wrote."""
    code = reward.code
    return isinstance(code, OwnCode) or (isinstance(code, OutsideCode) and outside_reward(code.document).runs_programs)


@dataclass(frozen=True)
class _Boxed:
    """Rewards that one scorer is asked about: name of the reward -> name of the function in its child."""

    scorer: SandboxedScorer
    functions: Mapping[str, str]
    wants_tokens: bool


class Scoring:
    """Scores completions with rewards; closing it ends the children. Use it in one thread.

    level  protection of users' files and of programs that models write; None where the rewards need neither
    """

    def __init__(
        self,
        rewards: Sequence[Reward],
        *,
        allow_plain: bool = False,
        patience: Patience = Patience(),  # noqa: B008  (frozen)
        cache: Path | None = None,
    ) -> None:
        """cache: a folder for what judges said, to be used again by later runs; None: it is forgotten at the end.

        Raises InvalidInput for foreign code where this machine has no protection and `allow_plain` is not given.
        """
        self._rewards, self._patience, self._closing = tuple(rewards), patience, ExitStack()
        foreign = any(runs_foreign_code(reward) for reward in rewards)
        best = probe() if any(reward.code for reward in rewards) else PLAIN
        if foreign:
            need_consent(best, allow_plain)
        self.level: Level | None = best if foreign else None
        self._boxed = [*self._library(best), *self._own(best, allow_plain)]
        self._outside = dict(self._scorers(best, cache, allow_plain))

    def score(self, frames: Sequence[Frame], *, step: int = 0, max_steps: int = 0) -> Scored:
        """What each reward says of each completion, in the order of the frames; outcomes by the reward's name."""
        begun = time.monotonic()
        parts = [_direct(reward, frames) for reward in self._rewards if reward.code is None]
        parts += [_asked(boxed, frames, step, max_steps) for boxed in self._boxed]
        parts += [self._from_outside(name, scorer, frames) for name, scorer in self._outside.items()]
        return _together(parts, [reward.name for reward in self._rewards], time.monotonic() - begun)

    def close(self) -> None:
        """Ends the children and says in the log what users' files printed."""
        self._closing.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()

    def _library(self, level: Level) -> list[_Boxed]:
        codes = {each.name: each.code.document for each in self._rewards if isinstance(each.code, LibraryCode)}
        if not codes:
            return []
        # This project's own code: what is foreign to it, a pattern or a schema, cannot ask for more than time.
        box = self._box(Box(Library(BUILDER, codes), level, allow_plain=True))
        return [_Boxed(SandboxedScorer(box, "text", self._patience), {name: name for name in codes}, False)]

    def _own(self, level: Level, allow_plain: bool) -> list[_Boxed]:
        found, boxes = list[_Boxed](), dict[Path, Box]()
        asked: dict[tuple[Path, Form], list[tuple[str, OwnCode]]] = {}
        for reward in self._rewards:
            if isinstance(reward.code, OwnCode):
                asked.setdefault((reward.code.path, reward.code.form), []).append((reward.name, reward.code))
        for (path, form), members in asked.items():
            if path not in boxes:
                source = OwnFile(path, members[0][1].sha256)
                boxes[path] = self._box(Box(source, level, allow_plain=allow_plain))
            functions = {name: code.function for name, code in members}
            whole = [code.function for _, code in members if code.whole_batch]
            found.append(_Boxed(SandboxedScorer(boxes[path], form, self._patience, whole), functions, True))
        return found

    def _scorers(self, level: Level, cache: Path | None, allow_plain: bool) -> Iterator[tuple[str, BatchScorer]]:
        for reward in self._rewards:
            if isinstance(reward.code, OutsideCode):
                kept = cache or Path(self._closing.enter_context(TemporaryDirectory(prefix="grouper-scores-")))
                scorer = outside_reward(reward.code.document).scorer(level, kept, allow_plain)
                self._closing.callback(scorer.close)
                yield reward.name, scorer

    def _from_outside(self, name: str, scorer: BatchScorer, frames: Sequence[Frame]) -> Scored:
        outcomes = tuple(scorer.score(frames, self._patience.step))
        return replace(_scored({name: outcomes}), metrics=dict(scorer.metrics()))

    def _box(self, box: Box) -> Box:
        self._closing.callback(_closed, box)
        return box


def _closed(box: Box) -> None:
    box.close()
    if box.printed.bytes:
        log.info("Reward functions printed %d bytes: %s", box.printed.bytes, box.printed.head.strip()[:2000])


def _asked(boxed: _Boxed, frames: Sequence[Frame], step: int, max_steps: int) -> Scored:
    if not boxed.wants_tokens:
        frames = [replace(frame, completion_ids=()) for frame in frames]
    functions = [*dict.fromkeys(boxed.functions.values())]
    try:
        scored = boxed.scorer.score(frames, functions, step=step, max_steps=max_steps)
    except GrouperError as error:  # the file has changed or is gone
        count = sum(len(frame.completions) for frame in frames)
        return _scored({name: (Outcome(None, str(error)),) * count for name in boxed.functions})
    return replace(scored, outcomes={name: scored.outcomes[asked] for name, asked in boxed.functions.items()})


def _direct(reward: Reward, frames: Sequence[Frame]) -> Scored:
    outcomes = [_outcome(reward, text, frame) for frame in frames for text in frame.completions]
    return _scored({reward.name: tuple(outcomes)})


def _outcome(reward: Reward, text: str, frame: Frame) -> Outcome:
    try:
        value = reward.function(text, frame.fields)
    except Exception as error:  # a reward that raises is data: unscored, with its reason
        log.warning("Reward %s raised %r on %r", reward.name, error, text[:200])
        return Outcome(None, f"{type(error).__name__}: {error}")
    if value is not None and not math.isfinite(value):
        return Outcome(None, f"returned {value}")
    return Outcome(None if value is None else float(value))


def _scored(outcomes: Mapping[str, tuple[Outcome, ...]]) -> Scored:
    found = [outcome for each in outcomes.values() for outcome in each]
    causes = Counter(outcome.error for outcome in found if outcome.error is not None)
    return Scored(outcomes, {}, {}, Counter(outcome.kind for outcome in found), dict(causes), 0, 0.0)


def _together(parts: Sequence[Scored], order: Sequence[str], seconds: float) -> Scored:
    outcomes = {name: each for part in parts for name, each in part.outcomes.items()}
    counts, causes = Counter[str](), Counter[str]()
    for part in parts:
        counts.update(part.counts)
        causes.update(part.causes)
    return Scored(
        {name: outcomes[name] for name in order},
        {name: values for part in parts for name, values in part.extra.items()},
        {name: value for part in parts for name, value in part.metrics.items()},
        counts,
        dict(causes.most_common()),
        sum(part.restarts for part in parts),
        seconds,
    )
