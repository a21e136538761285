"""Settings recommended for a device: they fit, leave the task alone and say why."""

import pytest

from core.catalogue import load_catalogue
from core.planning import calibration
from core.planning.recommended import best_settings, worked_example
from core.planning.resolved_run import resolve
from core.planning.run_plan import preview
from core.settings import Settings
from core.tasks.registry import compose


@pytest.mark.parametrize(
    ("model", "gpu"),
    [
        ("smollm2-135m", "cpu"),
        ("qwen2.5-0.5b", "rtx-4090"),
        ("qwen2.5-3b", "rtx-4090"),
        ("llama-3.1-8b", "a100-40gb"),
        ("qwen2.5-7b", "a100-80gb"),
        ("qwen2.5-14b", "h100-80gb"),
    ],
)
def test_what_is_recommended_fits_and_is_explained(settings: Settings, model: str, gpu: str) -> None:
    run = resolve(settings, compose("addition", model, gpu, {}))
    best = best_settings(settings, run)
    assert best.fits
    assert set(best.overrides) == set(best.reasons)
    assert all(len(reason) > 10 for reason in best.reasons.values())
    chosen = run.changed({"max_lora_rank": None, **best.overrides})
    assert preview(settings, chosen).fits
    assert chosen.config.completion_tokens <= run.config.completion_tokens
    assert chosen.config.prompt_tokens == run.config.prompt_tokens
    assert chosen.config.learning_rate == run.config.learning_rate


def test_what_cannot_fit_is_said(settings: Settings) -> None:
    best = best_settings(settings, resolve(settings, compose("addition", "llama-3.1-70b", "rtx-4090", {})))
    assert not best.fits


def test_the_worked_example_is_held_against_the_planner() -> None:
    weights, training, engine = worked_example(load_catalogue())
    assert "3.6 GiB" in weights
    assert "GiB" in training
    assert "12.0 GiB of 24.0 GiB" in engine


def test_doubt_is_estimated_until_measured(settings: Settings) -> None:
    assert calibration.doubt(settings, compose("addition", "smollm2-135m", "cpu", {})).startswith("Estimated: ")
