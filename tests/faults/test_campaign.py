"""The fault campaign in its short form: one of each kind."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from core.settings import PROJECT

pytestmark = [pytest.mark.engine, pytest.mark.long, pytest.mark.timeout(1200)]


def test_one_of_each_fault_is_survived() -> None:
    short = ["--kills", "1", "--web", "1", "--signals", "1", "--full", "1", "--locked", "1", "--seed", "3"]
    program = Path(__file__).with_name("campaign.py")
    result = subprocess.run(
        [sys.executable, "-W", "ignore", str(program), *short],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": ".:tests"},
        capture_output=True,
        text=True,
    )
    last = result.stdout.splitlines()[-1] if result.stdout else ""
    found = re.fullmatch(r"(\d+) faults, (\d+) recovered, (\d+) completions lost", last)
    assert found is not None, result.stdout[-2000:] + result.stderr[-3000:]
    assert found[1] == found[2], result.stdout
    assert int(found[1]) >= 4  # five where a small disk can be mounted
    assert found[3] == "0"
