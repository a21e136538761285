"""Scores a step with a judge: what is known is not asked again, the rest is asked at once, in one event loop."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from core.tasks.rewards.batch import spent
from core.tasks.rewards.judge_cache import JudgeCache
from core.tasks.rewards.judge_client import JudgeClient, Manners
from core.tasks.rewards.judge_failure import JudgeFailure
from core.tasks.rewards.judge_pace import WINDOW_S
from core.tasks.rewards.judge_question import Asked, Question, read_score, text_of
from core.tasks.sandbox.answers import Outcome
from core.tasks.sandbox.scorer import Frame

Value = TypeVar("Value")


class Loop:
    """An event loop in a thread of its own, from the first call to the end."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def run(self, work: Coroutine[Any, Any, Value]) -> Value:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._loop.run_forever, name="judge", daemon=True)
            self._thread.start()
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:  # an interrupt of the waiting thread
            future.cancel()
            raise

    def close(self) -> None:
        if self._loop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()
        self._loop = self._thread = None


class JudgeScorer:
    """prices: what a million tokens that the judge reads and writes cost; span: seconds that count as a minute."""

    def __init__(
        self,
        asked: Asked,
        key: str,
        manners: Manners,
        cache: Path,
        prices: tuple[float, float] = (0.0, 0.0),
        span: float = WINDOW_S,
    ) -> None:
        self._asked, self._folder, self._prices = asked, cache, prices
        self._client, self._loop = JudgeClient(asked.address, key, manners, span), Loop()
        self._cached, self._seconds = 0, 0.0

    def score(self, frames: Sequence[Frame], seconds: float) -> list[Outcome]:
        begun = time.monotonic()
        questions = [question for frame in frames for question in self._questions(frame)]
        scores = self._loop.run(self._scores({each for each in questions if isinstance(each, Question)}, seconds))
        self._seconds += time.monotonic() - begun
        return [each if isinstance(each, Outcome) else scores[each] for each in questions]

    def metrics(self) -> Mapping[str, float]:
        """Seconds, requests, questions whose answer was known, tokens, and what they cost."""
        figures, self._client.figures = self._client.figures, Counter()
        cost = sum(figures[name] * price for name, price in zip(("read", "written"), self._prices, strict=True)) / 1e6
        found = {
            "judge/seconds": self._seconds,
            "judge/requests": float(figures["requests"]),
            "judge/cached": float(self._cached),
            "judge/tokens": float(figures["read"] + figures["written"]),
            "judge/cost": cost,
        }
        self._cached, self._seconds = 0, 0.0
        return found

    def close(self) -> None:
        self._loop.run(self._client.close())
        self._loop.close()

    def _questions(self, frame: Frame) -> list[Question | Outcome]:
        try:
            prompt = text_of(frame.prompt)
            return [self._asked.question(prompt, text, frame.fields) for text in frame.completions]
        except KeyError as error:
            return [Outcome(None, f"the row has no column {error.args[0]}")] * len(frame.completions)

    async def _scores(self, questions: set[Question], seconds: float) -> dict[Question, Outcome]:
        deadline = time.monotonic() + seconds
        keys = {question: question.key for question in questions}
        with JudgeCache(self._folder) as cache:
            known = cache.read(keys.values())
            self._cached += len(known)
            found = {question: Outcome(known[key]) for question, key in keys.items() if key in known}
            step = _Step(self._client, cache, deadline)
            tasks = {each: asyncio.create_task(step.ask(each, keys[each])) for each in questions - found.keys()}
            if tasks:
                await asyncio.wait(tasks.values(), timeout=max(0.0, deadline - time.monotonic()))
            for task in tasks.values():
                task.cancel()
            answers = await asyncio.gather(*tasks.values(), return_exceptions=True)
        for question, answer in zip(tasks, answers, strict=True):
            if isinstance(answer, Outcome):
                found[question] = answer
            elif isinstance(answer, asyncio.CancelledError):
                found[question] = spent(seconds)
            else:
                raise answer
        return found


class _Step:
    """The questions of one step: where one shows that none can be answered, the rest is not asked."""

    def __init__(self, client: JudgeClient, cache: JudgeCache, deadline: float) -> None:
        self._client, self._cache, self._deadline = client, cache, deadline
        self._hopeless: str | None = None

    async def ask(self, question: Question, key: str) -> Outcome:
        try:
            reply = await self._client.ask(question, self._deadline, lambda: self._hopeless)
            score = read_score(reply.text, question.asked.scale)
        except JudgeFailure as failure:
            self._hopeless = str(failure) if failure.final else self._hopeless
            return Outcome(None, str(failure))
        self._cache.write(key, score)
        return Outcome(score)
