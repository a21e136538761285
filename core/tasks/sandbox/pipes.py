"""The parent's ends of a child's two pipes. Nothing waits longer than it is told, whatever the child does."""

import json
import os
import select
import time
from collections.abc import Callable
from typing import Any

from core.tasks.sandbox.failures import BrokenReply
from core.tasks.sandbox.frames import HEADER, LARGEST_REPLY, LARGEST_REQUEST, encoded

LOOK_S = 0.05  # how often the end of the child is looked for: a process it left behind can keep a pipe open


class Gone(Exception):
    """The child's end of a pipe is closed, or the child has ended."""


class Late(Exception):
    """The time was over."""


class Pipes:
    """incoming, outgoing: the child's ends, to be closed here once it has them."""

    def __init__(self) -> None:
        self.incoming, self._to = os.pipe()
        self._from, self.outgoing = os.pipe()
        os.set_blocking(self._to, False)

    def handed_over(self) -> None:
        """The child has its ends."""
        os.close(self.incoming)
        os.close(self.outgoing)

    def close(self) -> None:
        os.close(self._to)
        os.close(self._from)

    def send(self, value: Any, deadline: float, running: Callable[[], bool]) -> None:
        """Sends a frame by the deadline, a `time.monotonic`. Raises TypeError for what JSON cannot hold, Gone, Late."""
        frame = encoded(value)
        if len(frame) > LARGEST_REQUEST:
            raise ValueError(f"a request of {len(frame) >> 20} MiB; the largest has {LARGEST_REQUEST >> 20}")
        rest = memoryview(frame)
        while rest:
            self._wait(self._to, select.POLLOUT, deadline, running)
            try:
                rest = rest[os.write(self._to, rest) :]
            except BlockingIOError:
                continue
            except BrokenPipeError:
                raise Gone from None

    def receive(self, deadline: float, running: Callable[[], bool]) -> dict[str, Any]:
        """The next frame by the deadline. Raises Gone, Late, and BrokenReply for what is no frame with an object."""
        (length,) = HEADER.unpack(self._take(HEADER.size, deadline, running))
        if length > LARGEST_REPLY:
            raise BrokenReply("wrote something to the reply pipe that is no answer")
        body = self._take(length, deadline, running)
        try:
            value = json.loads(body)
        except (ValueError, RecursionError):
            raise BrokenReply("wrote something to the reply pipe that is no answer") from None
        if not isinstance(value, dict):
            raise BrokenReply("wrote something to the reply pipe that is no answer")
        return value

    def check_silent(self) -> None:
        """Raises BrokenReply when something came that nobody asked for, Gone when nothing can come any more."""
        if _ready(self._from, select.POLLIN, 0.0):
            if not os.read(self._from, 1):
                raise Gone
            raise BrokenReply("wrote to the reply pipe without being asked")

    def _take(self, count: int, deadline: float, running: Callable[[], bool]) -> bytes:
        parts = bytearray()
        while len(parts) < count:
            self._wait(self._from, select.POLLIN, deadline, running)
            part = os.read(self._from, count - len(parts))
            if not part:
                raise Gone
            parts += part
        return bytes(parts)

    def _wait(self, pipe: int, event: int, deadline: float, running: Callable[[], bool]) -> None:
        while True:
            alive = running()  # asked first: what an ended child still wrote is read
            left = deadline - time.monotonic()
            if _ready(pipe, event, min(LOOK_S, max(0.0, left))):
                return
            if not alive:
                raise Gone
            if left <= 0:
                raise Late


def _ready(pipe: int, event: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(pipe, event)
    return bool(poll.poll(seconds * 1000))
