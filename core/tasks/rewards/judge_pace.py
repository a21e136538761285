"""How fast a judge may be asked."""

import asyncio
import time
from collections import deque
from dataclasses import dataclass

WINDOW_S = 60.0


@dataclass
class Taken:
    """What was taken when; the amount may be set right once it is known."""

    at: float
    amount: float


class Window:
    """At most so much in any span of `seconds`; 0 is no limit. What alone is more than that waits for an empty span."""

    def __init__(self, most: float, seconds: float = WINDOW_S) -> None:
        self._most, self._seconds = most, seconds
        self._taken: deque[Taken] = deque()
        self._lock = asyncio.Lock()

    async def take(self, amount: float) -> Taken:
        """Waits, in the order of asking, until there is room."""
        async with self._lock:
            while self._most and not self._fits(amount):
                await asyncio.sleep(max(0.0, self._taken[0].at + self._seconds - time.monotonic()))
            taken = Taken(time.monotonic(), amount)
            if self._most:
                self._taken.append(taken)
            return taken

    def _fits(self, amount: float) -> bool:
        begin = time.monotonic() - self._seconds
        while self._taken and self._taken[0].at <= begin:
            self._taken.popleft()
        return not self._taken or sum(each.amount for each in self._taken) + amount <= self._most


class Quiet:
    """A time until which nobody asks, because the server said so to one."""

    def __init__(self) -> None:
        self._until = 0.0

    def ask_for(self, seconds: float) -> None:
        self._until = max(self._until, time.monotonic() + seconds)

    async def over(self) -> None:
        while (left := self._until - time.monotonic()) > 0:
            await asyncio.sleep(left)
