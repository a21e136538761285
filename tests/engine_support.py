"""Calling the command line as a user would."""

import os
import subprocess
import sys
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
    home: Path, *arguments: str, timeout: float = TEN_MINUTES, **variables: str
) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "GROUPER_HOME": str(home), **variables}
    command = [sys.executable, "-m", "core", *arguments]
    return subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=timeout)
