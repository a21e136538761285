"""What the tests of the reward bench share: small tasks, and scoring in this process."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from core.tasks.bench import BenchReport, RewardReport, bench
from core.tasks.rewards.library import library_reward
from core.tasks.sandbox.answers import Answer, Outcome
from core.tasks.sandbox.scored import Scored, Sheet
from core.tasks.sandbox.scorer import Frame
from core.tasks.task import Example, LibraryCode, Reward, RewardFunction, Task

CAPITALS = {"France": "Paris", "Norway": "Oslo", "Italy": "Rome", "Ghana": "Accra", "Peru": "Lima", "Iraq": "Baghdad"}


def tagged(fields: Mapping[str, Any]) -> str:
    return f"<answer>{fields['answer']}</answer>"


def asked(text: str, **fields: Any) -> Example:
    return Example(({"role": "user", "content": text},), fields)


def capitals() -> list[Example]:
    return [asked(f"What is the capital of {country}?", answer=capital) for country, capital in CAPITALS.items()]


def numbers(values: Sequence[str] = ("12", "40", "7", "231", "58", "90")) -> list[Example]:
    return [asked(f"Question {place}: how many are there?", answer=value) for place, value in enumerate(values)]


def own(name: str, function: RewardFunction, weight: float = 1.0) -> Reward:
    return Reward(name, weight, "One's own.", function)


def of_library(use: str, weight: float = 1.0, **options: Any) -> Reward:
    made = library_reward(use, options)
    return Reward(use, weight, made.about, made.score, LibraryCode(json.dumps({**options, "use": use})))


def task_of(*rewards: Reward, gold: Callable[[Mapping[str, Any]], str] = tagged) -> Task:
    def nothing(source: str, seed: int) -> Iterator[Example]:
        return iter(())

    return Task("small", "Small", "A small task.", rewards, nothing, gold)


def in_this_process(task: Task) -> Callable[[Sequence[Frame]], Scored]:
    """Scores as the processes for scoring do: an outcome each, and an error where a function raises."""

    def outcome(function: RewardFunction, text: str, fields: Mapping[str, Any]) -> Outcome:
        try:
            return Outcome(function(text, fields))
        except Exception as error:
            return Outcome(None, f"{type(error).__name__}: {error}")

    def score(frames: Sequence[Frame]) -> Scored:
        pairs = [(text, frame.fields) for frame in frames for text in frame.completions]
        sheet = Sheet([reward.name for reward in task.rewards], len(pairs))
        for reward in task.rewards:
            outcomes = tuple(outcome(reward.function, text, fields) for text, fields in pairs)
            sheet.take(reward.name, range(len(pairs)), Answer(outcomes, {}, {}))
        return sheet.finished(0, 0.0)

    return score


def benched(
    examples: Sequence[Example], *rewards: Reward, gold: Callable[[Mapping[str, Any]], str] = tagged
) -> BenchReport:
    task = task_of(*rewards, gold=gold)
    return bench(task, in_this_process(task), examples)


def report_of(report: BenchReport, name: str) -> RewardReport:
    return next(reward for reward in report.rewards if reward.name == name)
