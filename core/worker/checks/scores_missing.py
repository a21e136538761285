"""Notices that scores keep missing: a run must not go on learning from the few that are left."""

from collections import Counter, deque

from core.errors import RunError
from core.records.rollout import RewardScore
from core.records.step import Step

STEPS, SHARE = 3, 0.5


class ScoresWatch:
    """Sees the scores of each step, one reward function at a time."""

    def __init__(self) -> None:
        self._last: dict[str, deque[tuple[float, Counter[str]]]] = {}

    def check(self, step: Step) -> None:
        """Raises RunError once more than half of a function's scores were missing in three steps in a row."""
        scores = [score for group in step.groups for one in group.completions for score in one.scores]
        for name in dict.fromkeys(score.function for score in scores):
            mine = [score for score in scores if score.function == name]
            missing = [score for score in mine if _is_missing(score)]
            last = self._last.setdefault(name, deque(maxlen=STEPS))
            last.append((len(missing) / len(mine), Counter(score.error for score in missing)))
            if len(last) == STEPS and all(share > SHARE for share, _ in last):
                raise _stopped(name, sum((causes for _, causes in last), Counter()))


def _is_missing(score: RewardScore) -> bool:
    """A function that does not apply to a completion has said so; no error, no score missing."""
    return score.value is None and bool(score.error)


def _stopped(function: str, causes: Counter[str]) -> RunError:
    cause, times = causes.most_common(1)[0]
    return RunError(
        "scoring",
        f"More than half of the completions had no score of {function} in {STEPS} steps in a row; {times} times it "
        f"{cause}.",
        "Mend the function, try it on a few completions, and launch the run again.",
    )
