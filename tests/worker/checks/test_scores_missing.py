"""A run stops when scores keep missing, and says of which function and why."""

from core.errors import RunError
from core.records.rollout import Completion, Group, RewardScore
from core.records.step import Step
from core.worker.checks.scores_missing import ScoresWatch


def step(why: str = "took too long", **missed: int) -> Step:
    """Ten completions; of each function so many have no score."""
    completions = tuple(
        Completion(row, "", "stop", None, 0.0, tuple(
            RewardScore(name, None, why) if row < count else RewardScore(name, 1.0) for name, count in missed.items()
        ))
        for row in range(10)
    )  # fmt: skip
    return Step(1, {}, {}, {}, (Group(0, "", (), {}, completions),))


def refused(watch: ScoresWatch, seen: Step) -> str:
    try:
        watch.check(seen)
    except RunError as error:
        return f"{error.kind}: {error.message}"
    return ""


def test_after_three_steps_with_more_than_half_missing_and_not_before() -> None:
    watch = ScoresWatch()
    assert [refused(watch, step(f=missed)) for missed in (6, 6, 5, 6, 10)] == [""] * 5
    reason = refused(watch, step("died", f=7))
    assert reason.startswith("scoring: More than half of the completions had no score of f in 3 steps in a row")
    assert "16 times it took too long" in reason


def test_one_function_that_always_fails_stops_a_run_though_the_others_score() -> None:
    watch = ScoresWatch()
    assert [refused(watch, step(good=0, bad=10, worse=0)) for _ in range(2)] == ["", ""]
    assert " of bad in " in refused(watch, step(good=5, bad=6, worse=10))


def test_a_function_that_does_not_apply_is_missing_nothing() -> None:
    watch = ScoresWatch()
    assert [refused(watch, step("", f=10)) for _ in range(5)] == [""] * 5
