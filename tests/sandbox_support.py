"""What the tests of the sandbox share: the levels of this machine, boxes around texts, and what is left of boxes."""

import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from core.tasks.sandbox.box import Box
from core.tasks.sandbox.enclosure import SANDBOX
from core.tasks.sandbox.levels import LEVELS, Level
from core.tasks.sandbox.probe import missing
from core.tasks.sandbox.scorer import Frame
from core.tasks.sandbox.sources import own_file

HOSTILE = Path(__file__).parent / "core/tasks/sandbox/hostile"
HAD = [level for level in LEVELS if not missing(level)]
LOCKED = [level for level in HAD if level.locked]
every_level = pytest.mark.parametrize("level", HAD, ids=lambda level: level.name)
every_lock = pytest.mark.parametrize("level", LOCKED, ids=lambda level: level.name)


def box_around(text: str, folder: Path, level: Level = HAD[0], name: str = "rewards.py", **more: Any) -> Box:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return Box(own_file(file), level, allow_plain=True, **more)


def frame(*completions: str, **fields: Any) -> Frame:
    return Frame(({"role": "user", "content": "What is 2+3?"},), completions, fields)


def left_over() -> list[int]:
    """Processes of boxes and programs that still run; those of a namespace end a moment after it."""
    for _ in range(40):
        members = [
            process.pid
            for process in psutil.process_iter()
            if str(SANDBOX / "child.py") in _command(process) and not _of_another_test(process)
        ]
        if not members:
            return []
        time.sleep(0.05)
    return members


def _of_another_test(process: psutil.Process) -> bool:
    """Whether a test process beside this one still has it; what nobody has belongs to whatever adopted it."""
    try:
        above = {parent.pid for parent in process.parents()}
    except psutil.Error:
        return False
    mine = psutil.Process()
    return mine.pid not in above and not above <= {parent.pid for parent in mine.parents()}


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline() if process.status() != psutil.STATUS_ZOMBIE else []
    except psutil.Error:
        return []
