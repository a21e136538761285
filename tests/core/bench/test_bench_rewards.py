"""The bench of rewards scores what it says it scores."""

from core.bench.rewards import LIBRARY, bench_rewards


def test_every_reward_has_a_rate_through_the_child_and_here() -> None:
    found = bench_rewards(16, 1)
    assert set(found["results"]) == set(LIBRARY)
    assert all(rates["child"] > 0 and rates["here"] > 0 for rates in found["results"].values())
    assert found["own"]["child"] > 0
