"""The engine on CUDA, with graphs: the adapter followed both ways, the seed obeyed, the process left as it was."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.settings import PROJECT

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(600)]
PROGRAM = PROJECT / "tests" / "engine" / "sample_program.py"


@pytest.mark.parametrize("engine", ["vllm-merged", "vllm-slot", "transformers"])
def test_an_engine_keeps_its_promises(engine: str, model: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-W", "ignore", str(PROGRAM), engine, str(model)],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(PROJECT), os.environ.get("PYTHONPATH", "")])},
        capture_output=True,
        text=True,
        timeout=500,
    )
    lines = [line for line in result.stdout.splitlines() if line.startswith("RESULT ")]
    assert lines, result.stderr[-3000:]
    told = json.loads(lines[0].removeprefix("RESULT "))
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
