"""Calling the command line as a user would."""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.settings import PROJECT, Settings

TEN_MINUTES = 600


@dataclass(frozen=True)
class Demo:
    settings: Settings
    document: dict[str, Any]
    progress: str


def grouper(
    home: Path, *arguments: str, timeout: float = TEN_MINUTES, lacking: Sequence[int] = (), **variables: str
) -> subprocess.CompletedProcess[str]:
    """lacking: numbers of system calls that the kernel is to have none of, for the command and all that it starts."""
    environment = {**os.environ, "GROUPER_HOME": str(home), **variables}
    command = [sys.executable, "-m", "core", *arguments]
    if lacking:
        command = [sys.executable, str(PROJECT / "tests/older_kernel.py"), *map(str, lacking), "--", *command]
    return subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=timeout)
