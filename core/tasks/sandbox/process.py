"""One started child: a thread of its own starts it, reads away what it prints, and notes how it ended."""

import contextlib
import os
import select
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from core.tasks.sandbox.enclosure import BOX_TOKEN

SHOWN_BYTES = 64 << 10
LOOK_MS = 50  # how often the end of a child is looked for while it is silent


class ChildProcess:
    """A child in a session of its own.

    printed  bytes that it wrote to stdout and stderr; `head` is the first of them
    code     how it ended, as `subprocess` has it; None while it runs
    Raises OSError when it cannot be started.
    """

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], folder: Path, pipes: Sequence[int]
    ) -> None:
        self.printed, self.head = 0, b""
        self.code: int | None = None
        self._started, self._ended = threading.Event(), threading.Event()
        self._problem: OSError | None = None
        self._process: subprocess.Popen[bytes] | None = None
        # The kernel ends a child with the thread that started it, so that thread has to live as long as the child.
        thread = threading.Thread(
            target=self._keep, args=(command, environment, folder, pipes), name="sandbox-child", daemon=True
        )
        thread.start()
        self._started.wait()
        if self._problem is not None:
            raise self._problem

    def running(self) -> bool:
        return not self._ended.is_set()

    def wait(self, seconds: float) -> int | None:
        """How it ended; None when it has not within this time."""
        self._ended.wait(seconds)
        return self.code

    def end(self) -> None:
        """Ends it and whatever is left of its session, and waits for that."""
        if self._process is not None and self.running():
            kill_session(self._process.pid)
        self._ended.wait()

    def _keep(self, command: Sequence[str], environment: Mapping[str, str], folder: Path, pipes: Sequence[int]) -> None:
        try:
            process = subprocess.Popen(
                command,
                env=environment,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=pipes,
            )
        except OSError as error:
            self._problem = error
            self._ended.set()
            self._started.set()
            return
        self._process = process
        self._started.set()
        assert process.stdout is not None
        with process.stdout:
            while process.poll() is None and self._drain(process.stdout.fileno()):
                pass
            code = process.wait()
            kill_session(process.pid)  # what it left behind
            self._drain(process.stdout.fileno())
        self.code = code
        self._ended.set()

    def _drain(self, output: int) -> bool:
        """Reads what there is now; False when nobody can write any more."""
        poll = select.poll()
        poll.register(output, select.POLLIN)
        if not poll.poll(LOOK_MS):
            return True
        part = os.read(output, 1 << 16)
        self.printed += len(part)
        if len(self.head) < SHOWN_BYTES:
            self.head = (self.head + part)[:SHOWN_BYTES]
        return bool(part)


def kill_session(leader: int) -> None:
    """Ends every process of the session that this process leads, or led."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def end_by_token(token: str) -> None:
    """Ends every process with this token in its environment; one that changed its environment is not found."""
    for _ in range(20):
        members = [process for process in psutil.process_iter() if _has_token(process, token)]
        if not members:
            return
        for member in members:
            with contextlib.suppress(psutil.Error):
                member.kill()


def _has_token(process: psutil.Process, token: str) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE and process.environ().get(BOX_TOKEN) == token
    except (psutil.Error, OSError):
        return False
