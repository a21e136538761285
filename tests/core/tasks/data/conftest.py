"""Files to read, and a table of them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.tasks.data import DataSource, Table, open_table

Open = Callable[..., Table]


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def base(tmp_path: Path) -> Path:
    folder = tmp_path / "task"
    folder.mkdir()
    return folder


@pytest.fixture
def opened(base: Path, cache: Path) -> Open:
    """Opens data; content that is given is written first."""

    def write_and_open(name: str, content: bytes | str | None = None, **source: Any) -> Table:
        if content is not None:
            (base / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return open_table(DataSource(name, **source), base=base, cache=cache)

    return write_and_open


@pytest.fixture
def lines() -> Callable[..., str]:
    """Objects as JSONL."""
    return lambda *rows: "".join(json.dumps(row) + "\n" for row in rows)
