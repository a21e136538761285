"""How many completions a second rewards score: through their child, and called in this process for comparison."""

import inspect
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from core.bench.filling import WORDS
from core.tasks.own.rewards import make_reward
from core.tasks.own.spec import RewardPart
from core.tasks.sandbox.scorer import Frame
from core.tasks.scoring import Scoring
from core.tasks.task import Message, OwnCode, Reward

LENGTH, GROUP_SIZE, GROUPS = 1024, 8, 32  # bytes of a completion; completions of a prompt; prompts of a step
# Name -> how many times fewer completions it is asked about, since it is slow.
WAYS: Mapping[str, int] = {"normalised + tags": 1, "math": 5, "own": 1}


def uncommon(completions: list[list[dict[str, str]]], **kwargs: object) -> list[float]:
    """A function in TRL's form, as users write it: the share of different words."""
    texts = [completion[0]["content"].split() for completion in completions]
    return [len({*words}) / max(1, len(words)) for words in texts]


def bench_rewards(completions: int, repeats: int) -> dict[str, Any]:
    """Completions of 1 KiB scored in steps of 256.

    JSON: {completions, repeats, level, start_ms, rewards: {NAME: {completions, child_per_second, direct_per_second,
    child_us}}}. level is what a user's file runs under here, start_ms how long the first completion takes with it, and
    child_us the microseconds that a completion takes longer through the child. All are medians.
    """
    with TemporaryDirectory(prefix="grouper-bench-") as folder:
        own = _own(Path(folder))
        contenders: dict[str, tuple[Reward, ...]] = {
            "normalised + tags": (_library("normalised", inside="answer"), _library("tags"))
        }
        if find_spec("math_verify") is not None:
            contenders["math"] = (_library("math", inside="answer"),)
        contenders["own"] = (own,)
        found = {name: _measured(each, completions // WAYS[name], repeats) for name, each in contenders.items()}
        started = statistics.median(_start_seconds(own) for _ in range(repeats))
        with Scoring([own], allow_plain=True) as scoring:
            level = scoring.level.name if scoring.level else ""
    return {
        "completions": completions,
        "repeats": repeats,
        "level": level,
        "start_ms": round(1000 * started, 1),
        "rewards": found,
    }


def _library(use: str, **options: str) -> Reward:
    return make_reward(RewardPart.model_validate({"use": use, **options}), Path(), None)


def _own(folder: Path) -> Reward:
    (folder / "rewards.py").write_text(inspect.getsource(uncommon), encoding="utf-8")
    return make_reward(RewardPart.model_validate({"python": "rewards.py:uncommon"}), folder, None)


def _measured(rewards: Sequence[Reward], count: int, repeats: int) -> dict[str, Any]:
    """Both ways take turns over the same steps. What a reward remembers is no help: no answer comes twice."""
    child, direct, size = list[float](), list[float](), GROUPS * GROUP_SIZE
    each = max(1, round(count / size))
    with Scoring(rewards, allow_plain=True) as scoring:
        scoring.score(make_step(-1))  # the child's start is measured apart
        for number in range(repeats):
            steps = [make_step(number * each + place) for place in range(each)]
            child.append(_seconds(lambda step: _checked(scoring, step), steps) / (each * size))
            direct.append(_seconds(lambda step: _called(rewards, step), steps) / (each * size))
    through, called = statistics.median(child), statistics.median(direct)
    return {
        "completions": each * size,
        "child_per_second": round(1 / through),
        "direct_per_second": round(1 / called),
        "child_us": round(1e6 * (through - called), 1),
    }


def _seconds(work: Callable[[Sequence[Frame]], object], steps: Sequence[Sequence[Frame]]) -> float:
    began = time.perf_counter()
    for step in steps:
        work(step)
    return time.perf_counter() - began


def _checked(scoring: Scoring, step: Sequence[Frame]) -> None:
    causes = scoring.score(step).causes
    assert not causes, causes


def _called(rewards: Sequence[Reward], step: Sequence[Frame]) -> None:
    for frame in step:
        for reward in rewards:
            if isinstance(reward.code, OwnCode):
                uncommon([[{"role": "assistant", "content": text}] for text in frame.completions], **frame.fields)
                continue
            for text in frame.completions:
                reward.function(text, frame.fields)


def _start_seconds(reward: Reward) -> float:
    began = time.perf_counter()
    with Scoring([reward], allow_plain=True) as scoring:
        scoring.score(make_step(-2)[:1])
        return time.perf_counter() - began


def make_step(seed: int) -> list[Frame]:
    chance = random.Random(seed)
    return [_frame(chance) for _ in range(GROUPS)]


def _frame(chance: random.Random) -> Frame:
    """One question and what models answer to it: different numbers, of which one is right."""
    answer = chance.randrange(1_000_000_000)
    texts = [_text(chance, answer + place) for place in range(GROUP_SIZE)]
    fields: Mapping[str, Any] = {"question": f"{answer}+0", "answer": answer}
    return Frame((Message(role="user", content=f"What is {answer}+0?"),), tuple(texts), fields)


def _text(chance: random.Random, answer: int) -> str:
    closing = f"<answer>{answer}</answer>"
    return " ".join(chance.choices(WORDS, k=LENGTH // 3))[: LENGTH - len(closing)] + closing
