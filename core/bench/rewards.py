"""How fast rewards score: through their children, as training does, beside the same functions called here."""

import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from core.tasks.own.rewards import make_reward
from core.tasks.own.spec import RewardPart
from core.tasks.sandbox.scorer import Frame
from core.tasks.scoring import Scoring
from core.tasks.task import LibraryCode, Message, Reward

GROUP, COMPLETIONS = 8, 4096
WORDS = "the answer follows from what was asked, and it is short enough to be read at once; "
OWN = '''"""Scores completions."""


def brief(completions, **kwargs):
    """1 for an answer of at most a thousand characters."""
    return [float(len(each[0]["content"]) <= 1000) for each in completions]
'''
# Name -> what a task file says of the rewards.
LIBRARY: Mapping[str, tuple[Mapping[str, Any], ...]] = {
    "normalised and tags": ({"use": "normalised", "inside": "answer"}, {"use": "tags"}),
    "number": ({"use": "number", "inside": "answer"},),
    "math": ({"use": "math", "inside": "answer"},),
    "fuzzy": ({"use": "fuzzy"},),
}


def bench_rewards(completions: int = COMPLETIONS, repeats: int = 3) -> dict[str, Any]:
    """Completions of about 1 KB scored a second, the median of `repeats`.

    JSON: {results: {NAME: {child, here, ratio}}, own: {child}, completions, repeats}; `here` is the same functions
    called in this process, ratio = child / here
    """
    frames = _frames(completions)
    results = {}
    for name, parts in LIBRARY.items():
        rewards = [make_reward(RewardPart.model_validate(part), Path(), ("answer",)) for part in parts]
        child, here = _through(rewards, frames, repeats), _per_second(_called(rewards, frames), completions, repeats)
        results[name] = {"child": round(child), "here": round(here), "ratio": round(child / here, 3)}
    with TemporaryDirectory(prefix="grouper-bench-") as folder:
        (Path(folder) / "rewards.py").write_text(OWN, encoding="utf-8")
        own = make_reward(RewardPart.model_validate({"python": "rewards.py:brief"}), Path(folder), ("answer",))
        scored = _through([own], frames, repeats)
    return {"results": results, "own": {"child": round(scored)}, "completions": completions, "repeats": repeats}


def _frames(completions: int) -> list[Frame]:
    prompt = (Message(role="user", content="How much is it?"),)
    return [
        Frame(
            prompt,
            tuple(f"{WORDS * 12}<answer>{number + row}</answer>" for row in range(GROUP)),
            {"answer": str(number)},
        )
        for number in range(completions // GROUP)
    ]


def _through(rewards: list[Reward], frames: list[Frame], repeats: int) -> float:
    # The bench's own file: there is nothing foreign to be protected from.
    with Scoring(rewards, allow_plain=True) as scoring:
        scoring.score(frames[:1])  # what a child imports at its first completion is no part of the rate
        return _per_second(lambda: scoring.score(frames), len(frames) * GROUP, repeats)


def _called(rewards: list[Reward], frames: list[Frame]) -> Callable[[], object]:
    functions = [reward.function for reward in rewards if isinstance(reward.code, LibraryCode)]
    return lambda: [
        function(text, frame.fields) for frame in frames for text in frame.completions for function in functions
    ]


def _per_second(work: Callable[[], object], completions: int, repeats: int) -> float:
    taken = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return completions / statistics.median(taken)
