"""A task's rewards under attack."""

import json
import time
from collections.abc import Callable, Mapping, Sequence

from core.tasks.bench.earlier import Change, Earlier, changes
from core.tasks.bench.findings import report_on
from core.tasks.bench.probes import texts_for
from core.tasks.bench.report import BenchReport
from core.tasks.bench.sheet import BenchSheet
from core.tasks.bench.total import report_on_total, total_of
from core.tasks.rewards.library import library_reward
from core.tasks.rewards.reward import LibraryReward
from core.tasks.sandbox.answers import Outcome
from core.tasks.sandbox.scored import Scored
from core.tasks.sandbox.scorer import Frame
from core.tasks.task import Example, LibraryCode, Reward, Task

Score = Callable[[Sequence[Frame]], Scored]


def bench(task: Task, score: Score, examples: Sequence[Example], completions: Sequence[Earlier] = ()) -> BenchReport:
    """Scores about 17 texts for each example, all of them twice, and says what that shows.

    score  gives an Outcome for each completion of the frames, in their order, for each reward by its name
    completions  of earlier runs, to be scored again
    """
    known = {reward.name: _of_library(reward) for reward in task.rewards}
    golds = [task.gold(example.fields) for example in examples]
    texts = texts_for(examples, golds, _tags(known))
    frames = [
        Frame(example.prompt, tuple(found.values()), example.fields)
        for example, found in zip(examples, texts, strict=True)
    ]
    first = score(frames)
    begun = time.perf_counter()
    again = score(frames)
    seconds = time.perf_counter() - begun
    sheets = [
        BenchSheet(
            reward.name,
            reward.weight,
            texts,
            _by_row(first.outcomes[reward.name], texts),
            _by_row(again.outcomes[reward.name], texts),
            _top(known[reward.name]),
        )
        for reward in task.rewards
    ]
    count = sum(map(len, texts))
    reports = tuple(map(report_on, sheets))
    total = report_on_total(total_of(sheets), reports)
    per_second = count / seconds if seconds else 0.0
    return BenchReport(task.name, len(examples), count, per_second, reports, total, _earlier(task, score, completions))


def _earlier(task: Task, score: Score, completions: Sequence[Earlier]) -> tuple[Change, ...]:
    if not completions:
        return ()
    frames = [Frame(each.example.prompt, (each.text,), each.example.fields) for each in completions]
    return tuple(changes([reward.name for reward in task.rewards], completions, score(frames).outcomes))


def _of_library(reward: Reward) -> LibraryReward | None:
    if not isinstance(reward.code, LibraryCode):
        return None
    options = json.loads(reward.code.document)
    return library_reward(options.pop("use"), options)


def _tags(known: Mapping[str, LibraryReward | None]) -> list[str]:
    """Names of the tags that rewards look for, each once."""
    marks = [mark for reward in known.values() if reward for mark in reward.looks_for]
    return [*dict.fromkeys(mark.strip("<>") for mark in marks if mark.startswith("<"))]


def _top(reward: LibraryReward | None) -> float | None:
    return reward.span[1] if reward else None


def _by_row(outcomes: Sequence[Outcome], texts: Sequence[Mapping[str, str]]) -> list[dict[str, Outcome]]:
    """The outcomes of all frames, one after the other, as probe -> outcome for each row."""
    following = iter(outcomes)
    return [{probe: next(following) for probe in found} for found in texts]
