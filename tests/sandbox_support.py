"""What the tests of the sandbox share: the levels of this machine, and boxes around texts."""

from pathlib import Path
from typing import Any

import pytest

from core.tasks.sandbox.box import Box
from core.tasks.sandbox.levels import LEVELS, Level
from core.tasks.sandbox.probe import missing
from core.tasks.sandbox.scorer import Frame
from core.tasks.sandbox.sources import own_file

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
