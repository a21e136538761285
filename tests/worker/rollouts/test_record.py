"""What is made of a step."""

from tests_support import a_step

from core.records.rollout import Completion, Group
from core.worker.rollouts.record import cache_tokens


def test_cache_tokens_are_the_most_held_at_one_time() -> None:
    def group(prompt: int, *lengths: int) -> Group:
        members = tuple(Completion(i, "", "stop", 0.0, 0.0, length=length) for i, length in enumerate(lengths))
        return Group(0, "", tuple(range(prompt)), {}, members)

    assert cache_tokens([group(10, 5, 5, 5, 5)]) == 10 + 20
    assert cache_tokens([group(10, 100, 1, 1, 1)]) == 10 + 100
    assert cache_tokens([group(10, 8, 4), group(3, 6, 6)]) == 13 + 18
    assert cache_tokens([]) == 0
    assert cache_tokens(a_step(1).groups) == 2 + 6
