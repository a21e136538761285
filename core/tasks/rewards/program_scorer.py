"""Scores a step's programs: the same program of the same row runs once, and a few run at a time."""

import os
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol

from core.tasks.rewards.batch import spent
from core.tasks.rewards.program_tests import BadTests, Case, Part, new_mark, passed, same_output, source_of
from core.tasks.sandbox.answers import Outcome
from core.tasks.sandbox.failures import LoadFailed
from core.tasks.sandbox.levels import Level
from core.tasks.sandbox.programs import Finished, run_program
from core.tasks.sandbox.scorer import Frame
from core.tasks.sandbox.wording import clean

MOST_AT_ONCE = 4
LONGEST_REASON = 300  # characters
RUNS = ("code/programs", "code/late")

Tests = tuple[Part, ...] | tuple[Case, ...]


class Asking(Protocol):
    """What a reward says about programs; `programs.Program` is one."""

    @property
    def all_or_nothing(self) -> bool: ...

    @property
    def seconds(self) -> float: ...

    def program(self, text: str) -> str | None: ...

    def tests_of(self, fields: Mapping[str, Any]) -> Tests: ...


class _Spent(Exception):
    """The time of the step was over before the program had had its own."""


class ProgramScorer:
    """Runs programs under a level of protection; `allow_plain` is the consent that `PLAIN` needs."""

    def __init__(self, reward: Asking, level: Level, allow_plain: bool = False) -> None:
        self._reward, self._level, self._allow_plain = reward, level, allow_plain
        self._pool = ThreadPoolExecutor(min(MOST_AT_ONCE, os.cpu_count() or 1), thread_name_prefix="program")
        self._figures: Counter[str] = Counter()
        self._seconds, self._lock = 0.0, threading.Lock()

    def score(self, frames: Sequence[Frame], seconds: float) -> list[Outcome]:
        """0.0 for a completion without a program; no score where the row has no tests that can be read."""
        begun = time.monotonic()
        found = [
            answer if isinstance(answer, Outcome) else _result(answer, seconds)
            for answer in [answer for frame in frames for answer in self._answers(frame, begun + seconds)]
        ]
        self._seconds += time.monotonic() - begun
        return found

    def metrics(self) -> Mapping[str, float]:
        """code/programs: processes that ran; code/late: those that took too long; code/seconds: what it all took."""
        with self._lock:
            figures = {"code/seconds": self._seconds, **{name: float(self._figures[name]) for name in RUNS}}
            self._figures, self._seconds = Counter(), 0.0
        return figures

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)

    def _answers(self, frame: Frame, deadline: float) -> list[Outcome | Future[Outcome]]:
        """For each completion its score, where that is known already, or what is to become one."""
        try:
            tests = self._reward.tests_of(frame.fields)
        except BadTests as error:
            return [Outcome(None, clean(str(error), LONGEST_REASON))] * len(frame.completions)
        except KeyError as error:
            return [Outcome(None, f"the row has no column {error.args[0]}")] * len(frame.completions)
        if not tests:
            return [Outcome(None)] * len(frame.completions)
        programs = [self._reward.program(text) for text in frame.completions]
        running = {
            program: self._pool.submit(self._share, program, tests, deadline)
            for program in dict.fromkeys(programs)
            if program is not None
        }
        return [Outcome(0.0) if program is None else running[program] for program in programs]

    def _share(self, program: str, tests: Tests, deadline: float) -> Outcome:
        """Raises _Spent."""
        try:
            found = self._passed(program, tests, deadline)
        except (LoadFailed, OSError) as error:
            return Outcome(None, clean(f"the program could not be run: {error}", LONGEST_REASON))
        if self._reward.all_or_nothing:
            return Outcome(float(all(found)))
        return Outcome(sum(found) / len(found))

    def _passed(self, program: str, tests: Tests, deadline: float) -> Sequence[bool]:
        parts = [test for test in tests if isinstance(test, Part)]
        if parts:
            mark = new_mark()
            return passed(self._run(source_of(program, parts, mark), "", deadline).stdout, parts, mark)
        found = [False] * len(tests)
        for number, (given, wanted) in enumerate(test for test in tests if not isinstance(test, Part)):
            finished = self._run(program, given, deadline)
            found[number] = finished.exit_code == 0 and same_output(finished.stdout, wanted)
            if self._reward.all_or_nothing and not found[number]:
                break
        return found

    def _run(self, source: str, stdin: str, deadline: float) -> Finished:
        seconds, left = self._reward.seconds, deadline - time.monotonic()
        if left <= 0:
            raise _Spent
        finished = run_program(source, stdin, min(seconds, left), level=self._level, allow_plain=self._allow_plain)
        if finished.killed and left < seconds:
            raise _Spent
        with self._lock:
            self._figures.update({"code/programs": 1, "code/late": int(finished.killed)})
        return finished


def _result(running: Future[Outcome], seconds: float) -> Outcome:
    try:
        return running.result()
    except _Spent:
        return spent(seconds)
