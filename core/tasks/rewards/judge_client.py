"""Asks a judge behind an OpenAI-compatible address: paced, tried again where that may help, and nothing believed."""

import asyncio
import email.utils
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import httpx

from core.tasks.rewards.judge_failure import JudgeFailure
from core.tasks.rewards.judge_pace import WINDOW_S, Quiet, Window
from core.tasks.rewards.judge_question import Question, Reply, read_reply

ATTEMPTS = 4
FIRST_WAIT_S = 0.5  # doubled from attempt to attempt
LARGEST_BODY = 1 << 20  # bytes of an answer
TRY_AGAIN = (408, 409, 425, 429, 500, 502, 503, 504, 529)
FINAL = (401, 402, 403, 404)
CHARACTERS_A_TOKEN = 4  # a guess, for pace and where the server counts nothing


@dataclass(frozen=True)
class Manners:
    """How a server is treated; 0 is no limit.

    timeout_seconds  for one answer
    own_machine      the address is this machine's: no proxy stands between
    """

    concurrency: int = 32
    requests_per_minute: int = 0
    tokens_per_minute: int = 0
    timeout_seconds: float = 30.0
    own_machine: bool = False


@dataclass(frozen=True)
class _Answer:
    status: int
    retry_after: str
    body: bytes


class JudgeClient:
    """One pool of connections; everything in it belongs to the event loop that it is used in.

    key   sent as a bearer's, and never part of a message; empty: none is sent
    span  seconds that count as a minute
    """

    def __init__(self, address: str, key: str, manners: Manners, span: float = WINDOW_S) -> None:
        self.figures: Counter[str] = Counter()
        self._url, self._manners = f"{address.rstrip('/')}/chat/completions", manners
        self._requests = Window(manners.requests_per_minute, span)
        self._tokens = Window(manners.tokens_per_minute, span)
        self._quiet, self._slots = Quiet(), asyncio.Semaphore(manners.concurrency)
        self._client = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=manners.timeout_seconds,
            limits=httpx.Limits(max_connections=manners.concurrency),
            follow_redirects=False,  # a key goes where the user said and nowhere else
            trust_env=not manners.own_machine,
        )

    async def ask(self, question: Question, deadline: float, hopeless: Callable[[], str | None]) -> Reply:
        """The judge's reply. Raises JudgeFailure.

        deadline  a `time.monotonic`: no attempt is waited for that would begin later
        hopeless  why it need not be asked any more, found out meanwhile
        """
        async with self._slots:
            for attempt in range(1, ATTEMPTS + 1):
                if reason := hopeless():
                    raise JudgeFailure(reason)
                answer = await self._attempt(question)
                if isinstance(answer, Reply):
                    return answer
                problem, seconds = answer
                seconds = max(seconds, FIRST_WAIT_S * 2 ** (attempt - 1))
                if attempt == ATTEMPTS:
                    break
                if time.monotonic() + seconds > deadline:
                    raise JudgeFailure(f"{problem}, and there was no time to ask again in {seconds:.3g} s")
                self._quiet.ask_for(seconds)
            raise JudgeFailure(f"{problem}, {ATTEMPTS} times")

    async def close(self) -> None:
        await self._client.aclose()

    async def _attempt(self, question: Question) -> Reply | tuple[str, float]:
        """The reply; or why there is none and how long the server wants to be left alone. Raises JudgeFailure."""
        body = question.body()
        await self._requests.take(1)
        guess = len(body) // CHARACTERS_A_TOKEN
        taken = await self._tokens.take(guess + question.asked.max_tokens)
        await self._quiet.over()
        self.figures["requests"] += 1
        try:
            answer = await asyncio.wait_for(self._post(body), self._manners.timeout_seconds)
        except (TimeoutError, httpx.TimeoutException):
            raise JudgeFailure(f"the judge gave no answer within {self._manners.timeout_seconds:.3g} s") from None
        except httpx.HTTPError as error:
            return f"the judge cannot be reached ({type(error).__name__})", 0.0
        if answer.status in TRY_AGAIN:
            return f"the judge's server answered {answer.status}", seconds_of(answer.retry_after)
        if answer.status != 200:
            moved = " and points elsewhere, which is not followed" if 300 <= answer.status < 400 else ""
            raise JudgeFailure(f"the judge's server answered {answer.status}{moved}", final=answer.status in FINAL)
        reply = read_reply(answer.body)
        read = guess if reply.read < 0 else reply.read
        written = len(reply.text) // CHARACTERS_A_TOKEN if reply.written < 0 else reply.written
        taken.amount = read + written
        self.figures.update({"read": read, "written": written})
        return reply

    async def _post(self, body: bytes) -> _Answer:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        async with self._client.stream("POST", self._url, content=body, headers=headers) as response:
            content = bytearray()
            if response.status_code == 200:
                async for part in response.aiter_bytes():
                    content += part
                    if len(content) > LARGEST_BODY:
                        raise JudgeFailure(f"the judge's server answered with more than {LARGEST_BODY >> 20} MiB")
            return _Answer(response.status_code, response.headers.get("Retry-After", ""), bytes(content))


def seconds_of(retry_after: str) -> float:
    """What `Retry-After` asks for: seconds or a date (RFC 9110, 10.2.3); 0.0 for anything else."""
    text = retry_after.strip()
    if text.replace(".", "", 1).isdecimal() and len(text) < 10:
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return 0.0
