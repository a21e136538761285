"""One program that a model wrote, run once in a process of its own under the same protection as users' files.

It may start processes of its own, though no other program, and write no file. Standard input, output and error are its
only connections.
"""

import contextlib
import os
import secrets
import selectors
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.tasks.sandbox.enclosure import Launch, Limits, launch
from core.tasks.sandbox.failures import LoadFailed
from core.tasks.sandbox.frames import HEADER, encoded
from core.tasks.sandbox.levels import Level, need_consent
from core.tasks.sandbox.process import end_by_token, kill_session
from core.tasks.sandbox.sources import Program

LIMITS = Limits(memory_bytes=1 << 30, processes=8)
KEPT_BYTES = 1 << 20  # of stdout and of stderr
LOOK_S = 0.02
MOST_READS = 64


@dataclass(frozen=True)
class Finished:
    """How a program ended.

    exit_code        as `subprocess` has it; negative is the signal that ended it
    stdout, stderr   the first MiB of each, as it came: `wording.clean` makes it fit for a page
    seconds          from its start, Python's own included
    killed           whether it had to be ended because its time was over
    """

    exit_code: int
    stdout: str
    stderr: str
    seconds: float
    killed: bool


def run_program(
    source: str,
    stdin: str = "",
    seconds: float = 3.0,
    *,
    level: Level,
    limits: Limits = LIMITS,
    allow_plain: bool = False,
) -> Finished:
    """Runs the text of a Python program, and waits for it. Nothing that it started is left afterwards.

    Raises InvalidInput for `PLAIN` without consent, LoadFailed when the level cannot be had.
    """
    need_consent(level, allow_plain)
    folder = Path(os.path.realpath(tempfile.mkdtemp(prefix="grouper-program-")))
    token = secrets.token_hex(8)
    try:
        folder.chmod(0o711)
        prepared = Program(source).prepare(folder)
        start = launch(level, limits, folder, prepared.readable, token, forking=True)
        frame = encoded({"confinement": start.confinement, "program": prepared.program})
        return _run(start, frame, stdin.encode(errors="surrogatepass"), seconds)
    finally:
        if not level.locked:
            end_by_token(token)
        shutil.rmtree(folder, ignore_errors=True)


def _run(start: Launch, frame: bytes, stdin: bytes, seconds: float) -> Finished:
    begun = time.monotonic()
    incoming, config = os.pipe()
    failure, outgoing = os.pipe()
    try:
        process = subprocess.Popen(
            [*start.command, str(incoming), str(outgoing)],
            env=start.environment,
            cwd=start.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            pass_fds=(incoming, outgoing),
        )
    except OSError:
        os.close(config)
        os.close(failure)
        raise
    finally:
        os.close(incoming)
        os.close(outgoing)
    assert process.stdin
    assert process.stdout
    assert process.stderr
    # Unbuffered ends of their own, closed one by one as they come to an end.
    ends = [os.dup(pipe.fileno()) for pipe in (process.stdin, process.stdout, process.stderr)]
    for pipe in (process.stdin, process.stdout, process.stderr):
        pipe.close()
    exchange = _Exchange({config: frame, ends[0]: stdin}, (ends[1], ends[2], failure))
    with exchange:
        in_time = exchange.until_ended(process, begun + seconds)
        kill_session(process.pid)
        code = process.wait()
        exchange.read_rest()
    stdout, stderr, failed = exchange.texts()
    if failed:
        raise LoadFailed(failed[HEADER.size :])
    return Finished(code, stdout, stderr, time.monotonic() - begun, killed=not in_time)


class _Exchange:
    """Feeds some pipes and reads others at once, none of them for longer than it has something to give."""

    def __init__(self, feeds: Mapping[int, bytes], outputs: Sequence[int]) -> None:
        self._feeds = {pipe: memoryview(data) for pipe, data in feeds.items()}
        self._kept = {pipe: bytearray() for pipe in outputs}
        self._selector = selectors.DefaultSelector()
        for pipe in (*feeds, *outputs):
            os.set_blocking(pipe, False)
            self._selector.register(pipe, selectors.EVENT_WRITE if pipe in feeds else selectors.EVENT_READ)

    def until_ended(self, process: subprocess.Popen[bytes], deadline: float) -> bool:
        """Whether the process ended in time."""
        while (left := deadline - time.monotonic()) > 0:
            if process.poll() is not None:
                return True
            if any(pipe in self._kept for pipe in self._selector.get_map()):
                self._once(min(LOOK_S, left))
            else:  # it closed all that it could write to
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(left)
        return process.poll() is not None

    def read_rest(self) -> None:
        """What the ended process still wrote."""
        for _ in range(MOST_READS):  # a process that got away under `PLAIN` could go on writing
            if not self._once(0.0):
                return

    def texts(self) -> list[str]:
        return [kept.decode(errors="replace") for kept in self._kept.values()]

    def __enter__(self) -> "_Exchange":
        return self

    def __exit__(self, *failure: object) -> None:
        for key in [*self._selector.get_map().values()]:
            self._close(key.fd)
        self._selector.close()

    def _once(self, seconds: float) -> bool:
        """Moves what can be moved; False when that was nothing."""
        ready = [key.fd for key, _ in self._selector.select(seconds)]
        for pipe in ready:
            try:
                if pipe in self._feeds:
                    self._feed(pipe)
                else:
                    self._read(pipe)
            except BlockingIOError:
                continue
            except BrokenPipeError:  # it does not read on
                self._close(pipe)
        return bool(ready)

    def _feed(self, pipe: int) -> None:
        self._feeds[pipe] = self._feeds[pipe][os.write(pipe, self._feeds[pipe]) :]
        if not self._feeds[pipe]:
            self._close(pipe)

    def _read(self, pipe: int) -> None:
        part = os.read(pipe, 1 << 16)
        if not part:
            self._close(pipe)
        self._kept[pipe] += part[: KEPT_BYTES - len(self._kept[pipe])]

    def _close(self, pipe: int) -> None:
        self._selector.unregister(pipe)
        os.close(pipe)
