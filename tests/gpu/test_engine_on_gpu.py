"""The engine on CUDA, with graphs: the adapter followed both ways, the seed obeyed, the process left as it was."""

import json
import os
import subprocess
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from core.settings import PROJECT

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(600)]
SAMPLES = PROJECT / "tests" / "engine" / "sample_program.py"
NF4 = PROJECT / "tests" / "gpu" / "nf4_program.py"


def ask(program: Path, *arguments: str) -> dict[str, Any]:
    result = subprocess.run(
        [sys.executable, "-W", "ignore", str(program), *arguments],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(PROJECT), os.environ.get("PYTHONPATH", "")])},
        capture_output=True,
        text=True,
        timeout=500,
    )
    lines = [line for line in result.stdout.splitlines() if line.startswith("RESULT ")]
    assert lines, result.stderr[-3000:]
    return dict(json.loads(lines[0].removeprefix("RESULT ")))


@pytest.mark.parametrize("engine", ["vllm-merged", "vllm-slot", "transformers"])
def test_an_engine_keeps_its_promises(engine: str, model: Path) -> None:
    told = ask(SAMPLES, engine, str(model))
    print(engine, {name: told[name] for name in ("proof", "probed_difference", "same", "restored")})  # noqa: T201
    assert told["proof"]["with_adapter"] < 0.1 < told["proof"]["without_adapter"]
    assert told["probed_difference"] < 0.1
    assert told["probed"]
    assert told["different"]
    assert told["shape"] == [3, 3, 3]
    assert told["lengths_agree"]
    assert told["kept"] == [True, True, True]
    assert told["top_1_logprob"] < 1e-3
    assert set(told["caught"].values()) <= {"adapter-not-live"}
    assert told["same"]


def test_an_engine_in_nf4_follows_an_nf4_trainer(model: Path) -> None:
    """vLLM serves bitsandbytes itself up to 0.27, later ones with a plugin."""
    if tuple(map(int, version("vllm").split(".")[:2])) > (0, 27) and find_spec("vllm_bnb_plugin") is None:
        pytest.skip("this vLLM needs vllm-bnb-plugin to hold its weights in NF4")
    told = ask(NF4, str(model))
    print(told)  # noqa: T201
    assert told["proof"]["with_adapter"] < 0.1 < told["proof"]["without_adapter"]
    assert told["weight_bytes"] < 0.65 * 2 * 134_515_008
    assert told["same"]
