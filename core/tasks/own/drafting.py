"""A first task file for data that nobody has described yet: roles guessed, and a prompt and rewards that fit them."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from core.errors import InvalidInput
from core.tasks.data import DataSource, Row, Table, open_table
from core.tasks.data.roles import Role, RoleGuess, guess_roles
from core.tasks.gym import gym_generator
from core.tasks.own.asking import Asking
from core.tasks.own.spec import TaskSpec, make_spec
from core.tasks.template import written

OWN_FILE = "rewards.py"
JUDGED_BY = 200  # rows
SHORT = 60  # characters: answers up to this are asked for between tags and compared whole
CHARACTERS_A_TOKEN = 2.5  # English has about 4; digits, code and other languages fewer
RATES: Mapping[str, Mapping[str, Any]] = {
    "small": {"learning_rate": 3e-4, "lr_scheduler_type": "linear"},
    "medium": {"learning_rate": 1e-4},
    "large": {"learning_rate": 5e-5},
}
IN_TAGS = "Give only the final answer, between <answer> and </answer>."
# A file to begin with where the data has no answers to compare with.
OWN_TEMPLATE = '''"""Scores completions: one number for each, more is better; None where the function does not apply."""


def reward(completions, **columns):
    """Prefers completions of about fifty words."""
    return [1.0 - min(abs(len(each[0]["content"].split()) - 50) / 50, 1.0) for each in completions]
'''


@dataclass(frozen=True)
class Draft:
    """spec: the task file; guesses: what each column was taken for, and why; code: a Python file it needs, or ""."""

    spec: TaskSpec
    guesses: tuple[RoleGuess, ...]
    code: str = ""


def draft_task(source: DataSource, name: str, *, base: Path, cache: Path) -> Draft:
    """Opens the data and drafts a task of it. Raises InvalidInput for data without a column to ask about."""
    table = open_table(source, base=base, cache=cache)
    rows = table.first(JUDGED_BY)
    guesses = guess_roles(table.columns, rows)
    return draft_of(table, name, {guess.column: guess.role for guess in guesses}, guesses, rows)


def draft_of(
    table: Table, name: str, roles: Mapping[str, Role], guesses: Sequence[RoleGuess], rows: Sequence[Row]
) -> Draft:
    """The same with roles that a person has chosen."""
    by_role: dict[str, str] = {role: column for column, role in roles.items()}
    answer = by_role.get("answer", "")
    values: dict[str, Any] = {"name": name, "data": _data(table), "prompt": _prompt(by_role, table, rows)}
    values["reward"] = _rewards(answer, rows)
    values["evaluation"] = {"rows": min(64, max(1, len(rows) // 10))}
    values["start"] = _start(make_spec(values), table, rows)
    return Draft(make_spec(values), tuple(guesses), "" if answer else OWN_TEMPLATE)


def draft_gym(use: str, name: str) -> TaskSpec:
    """A task of one of reasoning-gym's families. Raises NotFound and InvalidInput for one that cannot be trained on."""
    gym_generator(use, {})
    rewards = [{"use": "reasoning-gym", "inside": "answer", "weight": 0.8}, {"use": "tags", "weight": 0.2}]
    start = {"prompt_tokens": 512, "completion_tokens": 64, "steps": 100, **RATES}
    return make_spec({"name": name, "data": {"use": use}, "reward": rewards, "start": start})


def name_of(source: str) -> str:
    """A task's name from where its data lies: "Capital Cities.csv" -> "capital-cities"."""
    stem = PurePosixPath(source.partition(":")[2] or source.rstrip("/")).name
    stem = re.sub(r"\.(jsonl|csv|parquet)(\.\w+)?$", "", stem, flags=re.IGNORECASE)
    return re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:40].strip("-") or "task"


def _data(table: Table) -> dict[str, Any]:
    source = table.source
    if not source.location.startswith("hub:"):
        return {"source": source.location}
    found = {"source": source.location, "config": source.config, "split": source.split, "revision": source.revision}
    return {key: value for key, value in found.items() if value}


def _prompt(by_role: Mapping[str, str], table: Table, rows: Sequence[Row]) -> dict[str, Any]:
    answer = by_role.get("answer", "")
    if chat := by_role.get("messages"):
        found: dict[str, Any] = {"messages": chat}
    elif question := by_role.get("prompt"):
        found = {"user": _hole(question)}
    else:
        names = ", ".join(column.name for column in table.columns)
        raise InvalidInput("data", table.source.location, "with no column to ask about", f"say which of {names} it is")
    if system := by_role.get("system"):
        found["system"] = _hole(system)
    elif answer and "user" in found and _is_short(answer, rows):
        found["system"] = IN_TAGS
    if answer:
        found["gold"] = f"<answer>{_hole(answer)}</answer>" if _is_short(answer, rows) else _hole(answer)
        if "user" in found and _is_short(answer, rows):
            found["shots"] = 1
    return found


def _rewards(answer: str, rows: Sequence[Row]) -> list[dict[str, Any]]:
    if not answer:
        return [{"python": f"{OWN_FILE}:reward"}]
    expect = {} if answer == "answer" else {"expect": _hole(answer)}
    if not _is_short(answer, rows):
        return [{"use": "fuzzy", **expect}]
    use = "number" if _is_number(answer, rows) else "normalised"
    return [{"use": use, "inside": "answer", **expect, "weight": 0.8}, {"use": "tags", "weight": 0.2}]


def _start(spec: TaskSpec, table: Table, rows: Sequence[Row]) -> dict[str, Any]:
    """Settings to start with: room for the longest of these prompts and answers, and rates by the model's size."""
    assert spec.prompt
    asking = Asking(spec.prompt, tuple(column.name for column in table.columns))
    shown = rows[: spec.prompt.shots]
    asked = max((sum(len(each["content"]) for each in asking.messages(row, shown)) for row in rows), default=0)
    answered = max((len(asking.gold(row)) for row in rows), default=0)
    return {
        "prompt_tokens": _room(asked, 64, 8192),
        "completion_tokens": _room(answered, 8, 1024) if answered else 256,
        "steps": 60,
        **RATES,
    }


def _room(characters: int, beside: int, most: int) -> int:
    """Tokens for so many characters, by a generous guess, and for what stands beside them; a multiple of 16."""
    return min(most, math.ceil((characters / CHARACTERS_A_TOKEN + beside) / 16) * 16)


def _hole(column: str) -> str:
    """The column in a template. Raises InvalidInput for a name that cannot stand in one."""
    if set(column) & set("{}.[]!:") or not column.strip():
        remedy = "rename the column: a template's columns have no braces, brackets, dots, colons or exclamation marks"
        raise InvalidInput("column", column, "which no template can name", remedy)
    return f"{{{column}}}"


def _is_short(column: str, rows: Sequence[Row]) -> bool:
    return all(len(written(row.get(column))) <= SHORT for row in rows)


def _is_number(column: str, rows: Sequence[Row]) -> bool:
    return all(re.fullmatch(r"\s*[-+]?[\d,]*\.?\d+\s*", written(row.get(column))) for row in rows)
