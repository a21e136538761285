"""Tasks in folders, as people write them."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path

from core.tasks.builtin.generators import GENERATORS
from core.tasks.own.build import OwnTask
from core.tasks.own.saved import SavedTask, save_task
from core.tasks.own.spec import parse_spec

CAPITALS = [
    ("France", "Paris"),
    ("Italy", "Rome"),
    ("Spain", "Madrid"),
    ("Japan", "Tokyo"),
    ("Cuba", "Havana"),
    ("Peru", "Lima"),
    ("Kenya", "Nairobi"),
    ("Egypt", "Cairo"),
    ("Norway", "Oslo"),
    ("Greece", "Athens"),
]
TASK = """
name = "capitals"
[data]
source = "capitals.csv"
[evaluation]
rows = 2
[prompt]
system = "Answer between <answer> and </answer>."
user = "What is the capital of {country}?"
shots = 1
gold = "<answer>{answer}</answer>"
[[reward]]
use = "normalised"
inside = "answer"
weight = 0.8
[[reward]]
use = "tags"
weight = 0.2
"""


def write_capitals(folder: Path, rows: Sequence[tuple[str, str]] = CAPITALS) -> Path:
    path = folder / "capitals.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("country", "answer"), *rows])
    return path


def make_task(folder: Path, text: str = TASK, code: str = "") -> OwnTask:
    """A folder with `text` as its task file, the capitals as its rows and `code` as rewards.py."""
    folder.mkdir(parents=True, exist_ok=True)
    write_capitals(folder)
    (folder / "task.toml").write_text(text, encoding="utf-8")
    if code:
        (folder / "rewards.py").write_text(code, encoding="utf-8")
    return OwnTask(parse_spec(text), folder, folder.parent / "cache")


def saved(own: OwnTask, tasks: Path) -> SavedTask:
    return save_task(own, tasks, GENERATORS)


def write_jsonl(path: Path, rows: Sequence[object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path
