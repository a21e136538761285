"""How a run's settings are stored, and how those of every earlier version are read.

What is stored is the config as JSON with the version of its form. A form changes when a field is renamed, goes, or is
given other bounds: then `SCHEMA_VERSION` rises by one, and the function in `UPGRADES` that takes the form before to the
new one says what changed. Forms that were stored are never rewritten; they are read through these functions each time.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from core.config import RunConfig, make_config
from core.errors import InvalidInput, Unreadable

VERSION_KEY = "schema_version"
SCHEMA_VERSION = 2
Values = dict[str, Any]


def as_stored(config: RunConfig) -> str:
    """The JSON text that `read_stored` reads back to an equal config."""
    return json.dumps({VERSION_KEY: SCHEMA_VERSION, **config.model_dump(mode="json")}, sort_keys=True)


def read_stored(text: str) -> RunConfig:
    """The config in a stored text of any version up to this one.

    Raises Unreadable for a text of a newer version, and for one that holds no config.
    """
    try:
        values = json.loads(text)
    except ValueError:
        raise Unreadable("its settings are no JSON", "delete it") from None
    if not isinstance(values, dict):
        raise Unreadable("its settings are no JSON object", "delete it")
    version = values.pop(VERSION_KEY, 1)
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise Unreadable(f"its settings name {version!r} as their {VERSION_KEY}", "delete it")
    if version > SCHEMA_VERSION:
        problem = f"its settings have form {version} and this version reads forms up to {SCHEMA_VERSION}"
        raise Unreadable(problem, "install the newer Grouper that launched it, or delete it")
    for upgrade in UPGRADES[version - 1 :]:
        values = upgrade(values)
    try:
        return make_config(values)
    except InvalidInput as error:
        raise Unreadable(f"its settings are not understood: {error}".rstrip("."), "delete it") from None


def _defaults_of_before(values: Mapping[str, Any]) -> Values:
    """1 -> 2. Fields that came after the first runs, with the value that stood for what those runs did."""
    return {"device": "auto", "adapter_sync": "merged", "evaluate_every": 0, **values}


# UPGRADES[n - 1] takes the values of form n to those of form n + 1.
UPGRADES: tuple[Callable[[Mapping[str, Any]], Values], ...] = (_defaults_of_before,)
