"""Whole runs on a GPU: the built-in model learns, however weights, adapter and cache are held."""

import json
from typing import Any

import pytest
from engine_support import grouper

from core.records.run import Run
from core.records.step import Step
from core.settings import Settings
from core.store import open_database
from core.store.runs import queries

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(900)]


def launch(settings: Settings, gpu: str, steps: int, *options: str) -> tuple[dict[str, Any], Run, list[Step]]:
    arguments = ["launch", "--recipe", "addition", "--model", "smollm2-135m", "--gpu", gpu, "--steps", str(steps)]
    small = ["--set", "gpu_memory_utilization=0.15"]
    result = grouper(settings.home, *arguments, *small, *options, "--wait", "--json", timeout=600)
    assert result.returncode == 0, (result.stdout + result.stderr)[-4000:]
    document = json.loads(result.stdout)
    database = open_database(settings.database_url)
    with database.reading() as connection:
        run = queries.get_run(connection, document["run"])
        recorded = queries.list_steps(connection, document["run"])
    database.close()
    mismatches = [step.metrics["mismatch/mean"] or 0.0 for step in recorded]
    print(options, document, run.sync, f"mismatch {sum(mismatches) / len(mismatches):.4f}")  # noqa: T201
    assert sum(mismatches) / len(mismatches) < 0.1
    return document, run, recorded


@pytest.mark.parametrize("quantization", ["none", "nf4"])
def test_the_policy_learns_through_the_slot(gpu_home: Settings, gpu: str, quantization: str) -> None:
    document, run, _ = launch(gpu_home, gpu, 40, "--set", f"quantization={quantization}")
    assert document["reward_last"] > 0.85
    assert run.sync is not None
    assert run.sync.way == "slot"


def test_weights_held_once(gpu_home: Settings, gpu: str) -> None:
    """One copy less on the GPU, and the base as it was."""
    slot = ["--set", "adapter_sync=slot"]
    _, _, twice = launch(gpu_home, gpu, 3, *slot)
    _, run, once = launch(gpu_home, gpu, 3, *slot, "--set", "share_weights=true")
    saved = twice[-1].memory["rollout"] - once[-1].memory["rollout"]
    assert 200e6 < saved < 350e6  # 134,515,008 parameters of two bytes
    assert run.sync is not None
    assert run.sync.way == "slot"


def test_the_kv_cache_sleeps_while_the_trainer_works(gpu_home: Settings, gpu: str) -> None:
    _, _, steps = launch(gpu_home, gpu, 3, "--set", "sleep_kv_cache=true")
    assert all(step.memory["update"] < step.memory["rollout"] - 4e9 for step in steps)


@pytest.mark.parametrize("way", ["merged", "slot"])
def test_an_nf4_trainer_with_a_16_bit_engine(gpu_home: Settings, gpu: str, way: str) -> None:
    _, run, _ = launch(gpu_home, gpu, 3, "--set", "quantization=nf4", "--set", f"adapter_sync={way}")
    assert run.sync is not None
    assert run.sync.way == way
