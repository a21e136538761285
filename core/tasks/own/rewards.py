"""A task file's rewards."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.errors import InvalidInput, NotFound
from core.tasks.own.spec import RewardPart
from core.tasks.rewards.batch import Outside
from core.tasks.rewards.library import library_reward
from core.tasks.sandbox.reading import read_own_code
from core.tasks.sandbox.signatures import OwnFunction
from core.tasks.sandbox.sources import fingerprint, read_bytes
from core.tasks.task import LibraryCode, OutsideCode, OwnCode, Reward


def make_reward(part: RewardPart, folder: Path, columns: tuple[str, ...] | None) -> Reward:
    """The reward that a part of a task file names.

    columns  those that the data has; None where a function makes the examples
    Raises InvalidInput for an option, a column or a function that is not there.
    """
    if part.use:
        made = library_reward(part.use, part.options)
        _check_columns(part.title, made.columns, columns)
        document = json.dumps({**part.options, "use": part.use}, sort_keys=True)
        code = OutsideCode(document) if isinstance(made, Outside) else LibraryCode(document)
        return Reward(part.title, part.weight, part.about or made.about, made.score, code)
    path = folder / part.file
    function = own_function(path, part.function)
    about = part.about or (function.about.strip().splitlines() or [""])[0]
    own = OwnCode(path, fingerprint(read_bytes(path)), part.function, part.whole_batch, part.form)
    return Reward(part.title, part.weight, about or f"{part.function} of {part.file}.", _only_in_a_box, own)


def own_function(path: Path, name: str) -> OwnFunction:
    """The function of this name in a user's file, read and not run. Raises NotFound and InvalidInput."""
    found = {each.name: each for each in read_own_code(read_bytes(path).decode("utf-8", "replace"))}
    if name not in found:
        known = ", ".join(found) or "there is none that could score"
        raise NotFound("reward.python", f"{path.name}:{name}", f"which {path.name} does not have", f"choose: {known}")
    return found[name]


def _check_columns(title: str, wanted: tuple[str, ...], columns: tuple[str, ...] | None) -> None:
    missing = next((name for name in wanted if columns is not None and name not in columns), None)
    if missing is not None:
        problem = f"but the data has no column {missing}"
        raise InvalidInput("reward", title, problem, f"use {', '.join(columns or ())}")


def _only_in_a_box(completion: str, fields: Mapping[str, Any]) -> float | None:
    raise InvalidInput("reward", "a function of one's own", "which runs in a sandbox alone", "score it there")
