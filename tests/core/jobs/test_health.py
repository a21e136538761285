"""Advisories: each from the figures that call for it, and none for a healthy run."""

from pathlib import Path
from typing import Any

import pytest

from core.config import make_config
from core.jobs.health import advisories
from core.planning.resolved_run import resolve
from core.planning.run_plan import preview
from core.records.run import Run
from core.records.status import RunStatus
from core.records.step import Step
from core.settings import Settings

HEALTHY: dict[str, float] = {
    "frac_reward_zero_std": 0.2,
    "entropy": 0.8,
    "completions/mean_length": 20.0,
    "completions/clipped_ratio": 0.1,
    "mismatch/kl": 0.002,
    "engine/cache_tokens": 2000.0,
}


def steps(count: int = 40, **series: Any) -> list[Step]:
    """Steps whose reward rises, unless a series (value, or function of the step from 0 to 1) says otherwise."""
    wanted = {
        **HEALTHY,
        "reward": lambda t: 0.2 + 0.6 * t,
        **{name.replace("__", "/"): v for name, v in series.items()},
    }
    return [
        Step(
            number,
            {name: value(number / count) if callable(value) else value for name, value in wanted.items()},
            {"generate": 1.0, "update": 2.0},
            {},
        )
        for number in range(1, count + 1)
    ]


def a_run(engine: str = "vllm", **values: Any) -> Run:
    config = make_config({"model": "smollm2-135m", "recipe": "addition", **values})
    return Run("r", "run", RunStatus.RUNNING, config, 0.0, engine=engine)


def kinds(settings: Settings, recorded: list[Step], run: Run | None = None) -> list[str]:
    return [found.kind for found in advisories(settings, run or a_run(), recorded)]


def test_a_healthy_run_and_a_young_one_get_none(settings: Settings) -> None:
    assert kinds(settings, steps()) == []
    assert kinds(settings, []) == []
    assert kinds(settings, steps(4, entropy=0.0, frac_reward_zero_std=1.0, completions__clipped_ratio=1.0)) == []
    solved = steps(100, reward=1.0, frac_reward_zero_std=1.0, entropy=lambda t: 1 - t)
    assert kinds(settings, solved) == []  # certain, unanimous and flat because it is right


@pytest.mark.parametrize(
    ("series", "kind"),
    [
        ({"frac_reward_zero_std": 0.9, "reward": 0.0}, "no-reward-variance"),
        ({"entropy": lambda t: max(0.001, 1 - 2 * t)}, "entropy-collapsed"),
        ({"completions__mean_length": lambda t: 20 + 60 * t, "reward": 0.3}, "growing-length"),
        ({"completions__clipped_ratio": 0.97}, "all-truncated"),
        ({"mismatch__kl": lambda t: 0.001 + 0.1 * t}, "mismatch-rising"),
    ],
)
def test_each_advisory_from_its_figures(settings: Settings, series: dict[str, Any], kind: str) -> None:
    assert kinds(settings, steps(**series)) == [kind]


def test_a_flat_reward(settings: Settings) -> None:
    noisy = steps(60, reward=lambda t: 0.3 + 0.05 * (-1) ** round(t * 60))
    assert kinds(settings, noisy) == ["reward-flat"]


def test_a_cache_that_is_too_small_names_the_value_that_is_enough(settings: Settings) -> None:
    run = a_run()
    room = preview(settings, resolve(settings, run.config)).kv_cache.tokens
    (found,) = advisories(settings, run, steps(engine__cache_tokens=lambda t: room * 1.5 if t > 0.6 else 100.0))
    assert found.kind == "kv-cache-too-small"
    assert found.evidence.startswith("40% of the steps waited")
    assert found.remedy == "Raise kv_cache_gib to 2."
    gpu = a_run(gpu="rtx-4090")
    room = preview(settings, resolve(settings, gpu.config)).kv_cache.tokens
    (found,) = advisories(settings, gpu, steps(engine__cache_tokens=room * 1.1))
    assert found.remedy.startswith("Raise gpu_memory_utilization to 0.5")


def test_plain_generate_that_takes_most_of_the_step(settings: Settings) -> None:
    slow = [Step(s.number, s.metrics, {"generate": 9.0, "update": 1.0}, {}) for s in steps()]
    assert kinds(settings, slow, a_run("transformers")) == ["slow-generation"]
    assert kinds(settings, slow) == []


def test_a_model_that_is_gone_takes_no_page_down(settings: Settings, tmp_path: Path) -> None:
    assert kinds(settings, steps(), a_run(model=str(tmp_path / "gone"))) == []
