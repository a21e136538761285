"""Both engines keep the same promises, whichever way the adapter takes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from engine_support import Demo

from core.settings import PROJECT

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]
PROGRAM = Path(__file__).with_name("sample_program.py")


@pytest.fixture(
    scope="module",
    params=[
        "vllm-merged",
        *(pytest.param(way, marks=pytest.mark.long) for way in ("vllm-slot", "vllm-written")),
        "transformers",
    ],
)
def told(request: pytest.FixtureRequest, demo: Demo) -> dict[str, Any]:
    folder = demo.settings.models / "smollm2-135m"
    result = subprocess.run(
        [sys.executable, "-W", "ignore", str(PROGRAM), request.param, str(folder)],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    lines = [line for line in result.stdout.splitlines() if line.startswith("RESULT ")]
    assert lines, result.stderr[-3000:]
    found: dict[str, Any] = json.loads(lines[0].removeprefix("RESULT "))
    assert found["name"] == request.param.partition("-")[0]
    return found


def test_groups_come_back_in_order_and_whole(told: dict[str, Any]) -> None:
    assert told["shape"] == [3, 3, 3]
    assert told["lengths_agree"]
    assert told["longest"] <= 12
    assert "stop" in told["reasons"]
    assert told["cut"]


def test_the_seed_decides(told: dict[str, Any]) -> None:
    assert told["same"]
    assert told["different"]


def test_the_adapter_is_followed_and_taken_back(told: dict[str, Any]) -> None:
    assert told["proof"]["with_adapter"] < 0.1 < told["proof"]["without_adapter"]
    assert told["probed"]
    assert told["probed_difference"] < 0.1
    assert told["restored"]


def test_an_engine_that_does_not_follow_is_caught(told: dict[str, Any]) -> None:
    """Whatever goes wrong on the way: the adapter left out, an old one kept, or one at another scale."""
    if told["caught"]:
        assert told["caught"] == dict.fromkeys(("NotApplied", "Stale", "WrongScale"), "adapter-not-live")


def test_sampling_settings_are_followed(told: dict[str, Any]) -> None:
    assert told["greedy"] == 1
    assert told["top_1"] == 1
    assert told["top_1_logprob"] < 1e-3  # of the distribution that was sampled, cuts included


def test_the_process_is_left_as_it_was(told: dict[str, Any]) -> None:
    assert told["kept"] == [True, True, True]
    assert told["threads"][0] == told["threads"][1]
    assert told["dtype_kept"]
