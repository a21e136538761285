"""One child in which code of users runs, from its start to the last trace of it."""

import itertools
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

from core.tasks.sandbox.enclosure import Limits, launch
from core.tasks.sandbox.failures import BoxFailure, BrokenReply, Died, LoadFailed, Refused, TimedOut
from core.tasks.sandbox.levels import Level, need_consent
from core.tasks.sandbox.pipes import Gone, Late, Pipes
from core.tasks.sandbox.process import SHOWN_BYTES, ChildProcess, end_by_token
from core.tasks.sandbox.sources import Source
from core.tasks.sandbox.wording import clean

LONGEST_REASON = 600  # characters of what a child says about a failure
DYING_S = 1.0  # a child that closed its pipe gets this long to end by itself


@dataclass(frozen=True)
class Printed:
    """What a child wrote to stdout and stderr: how many bytes, and the first of them as text fit for a page."""

    bytes: int
    head: str


@dataclass
class _Running:
    """What exists while a child does."""

    process: ChildProcess
    pipes: Pipes
    folder: Path
    token: str
    facts: Mapping[str, Any]


class Box:
    """A child under a protection level. It starts at the first call and again after each death; use it in one thread.

    limits         what the child may use
    allow_plain    consent to run without protection; `PLAIN` is refused otherwise
    start_seconds  how long the child may take to load its source
    Raises InvalidInput for `PLAIN` without consent.
    """

    def __init__(
        self,
        source: Source,
        level: Level,
        limits: Limits = Limits(),  # noqa: B008  (frozen)
        *,
        allow_plain: bool = False,
        start_seconds: float = 20.0,
    ) -> None:
        need_consent(level, allow_plain)
        self.level, self.starts = level, 0
        self._source, self._limits, self._start_seconds = source, limits, start_seconds
        self._numbers = itertools.count(1)
        self._child: _Running | None = None
        self._printed = Printed(0, "")

    @property
    def printed(self) -> Printed:
        """What the child wrote, or the last one where none runs."""
        return _printed(self._child.process) if self._child else self._printed

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the running child says of its confinement: `uid`, and the version of Landlock or 0."""
        return self._child.facts if self._child else {}

    def start(self, seconds: float | None = None) -> None:
        """Starts the child, unless one runs. Raises LoadFailed, and InvalidInput where the source refuses."""
        if self._child is None:
            self.starts += 1
            self._child = self._started(min(self._start_seconds, seconds or self._start_seconds))

    def call(self, request: Mapping[str, Any], seconds: float) -> Mapping[str, Any]:
        """The child's answer. Raises BoxFailure; unless that is Refused, the child has been ended.

        request  "do" names what is asked; the rest is JSON
        seconds  for the answer, and for the start where the child has yet to start
        """
        deadline = time.monotonic() + seconds
        self.start(seconds)
        assert self._child is not None
        child, number = self._child, next(self._numbers)
        try:
            child.pipes.check_silent()
            child.pipes.send({**request, "id": number}, deadline, child.process.running)
            reply = child.pipes.receive(deadline, child.process.running)
            if reply.get("id") != number:
                raise BrokenReply("answered something that it was not asked")
        except (Gone, Late, BoxFailure) as failure:
            self._fail(failure, seconds)
        if "refused" in reply:
            raise Refused(clean(str(reply["refused"]), LONGEST_REASON), retry=reply.get("retry") is True)
        return reply

    def restart(self) -> None:
        self.close()
        self.start()

    def close(self) -> None:
        """Ends the child and everything that it started, and removes its folder. It may be started again."""
        child, self._child = self._child, None
        if child is None:
            return
        child.process.end()
        self._printed = _printed(child.process)
        child.pipes.close()
        if not self.level.locked:  # a lock keeps all in one session
            end_by_token(child.token)
        shutil.rmtree(child.folder, ignore_errors=True)

    def __enter__(self) -> "Box":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _started(self, seconds: float) -> _Running:
        folder = Path(os.path.realpath(tempfile.mkdtemp(prefix="grouper-box-")))
        token, pipes = secrets.token_hex(8), Pipes()
        try:
            folder.chmod(0o711)  # the child may be another user
            prepared = self._source.prepare(folder)
            start = launch(self.level, self._limits, folder, prepared.readable, token)
            ends = (pipes.incoming, pipes.outgoing)
            process = ChildProcess([*start.command, *map(str, ends)], start.environment, start.folder, ends)
        except BaseException as error:
            pipes.handed_over()
            pipes.close()
            shutil.rmtree(folder, ignore_errors=True)
            if isinstance(error, OSError):
                raise LoadFailed(f"the child cannot be started: {error}") from error
            raise
        pipes.handed_over()
        self._child = _Running(process, pipes, folder, token, {})
        config = {"confinement": start.confinement, "program": prepared.program}
        facts = self._loaded(self._child, config, seconds)
        return _Running(process, pipes, folder, token, facts)

    def _loaded(self, child: _Running, config: Mapping[str, Any], seconds: float) -> Mapping[str, Any]:
        deadline = time.monotonic() + seconds
        try:
            child.pipes.send(config, deadline, child.process.running)
            reply = child.pipes.receive(deadline, child.process.running)
        except Late:
            problem = f"it took longer than {seconds:.3g} s"
        except Gone:
            code = child.process.wait(DYING_S)
            problem = "it closed its pipes" if code is None else str(Died(code))
        except BrokenReply as failure:
            problem = f"it {failure}"
        except BaseException:  # a source that JSON cannot hold, an interrupt
            self.close()
            raise
        else:
            if isinstance(reply.get("ready"), dict):
                return dict(reply["ready"])
            problem = clean(str(reply.get("failed", "it gave no sign of being ready")), LONGEST_REASON)
        self.close()
        said = self._printed.head.strip().splitlines()
        raise LoadFailed(f"{problem}, after printing {said[-1][:200]!r}" if said else problem)

    def _fail(self, failure: Exception, seconds: float) -> NoReturn:
        """Ends the child and says why."""
        assert self._child is not None
        code = self._child.process.wait(DYING_S if isinstance(failure, Gone) else 0.0)
        self.close()
        if isinstance(failure, BoxFailure):
            raise failure
        if isinstance(failure, Late):
            raise TimedOut(seconds)
        raise BrokenReply("closed the reply pipe") if code is None else Died(code)


def _printed(process: ChildProcess) -> Printed:
    return Printed(process.printed, clean(process.head.decode(errors="replace"), SHOWN_BYTES, lines=True))
