"""A user's file, loaded inside the child, and the reward functions that it offers.

Which they are is decided as `reading` decides it without running the file: the entries of a module-level `reward_funcs`
where there is one, as in TRL's spec modules; else the functions and classes that the file itself defines and that do
not begin with an underscore.
"""

import functools
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from core.tasks.sandbox.signatures import OwnFunction, Parameter, described, recognise

OWN_FOLDER = "users-own-file"  # the copy of the file lies in a folder of this name


@dataclass(frozen=True)
class Offer:
    """A reward function and how to call it."""

    function: OwnFunction
    target: Callable[..., Any]
    takes: frozenset[str]  # the names of its parameters


def load(path: Path) -> ModuleType:
    """The file as a module. Raises whatever it raises."""
    _stand_in_for_swift()
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path.name} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(path.stem, module)  # dataclasses and pickle look their module up by name
    spec.loader.exec_module(module)
    return module


def offers(module: ModuleType) -> dict[str, Offer]:
    """Name -> reward function, in the file's order."""
    listed = getattr(module, "reward_funcs", None)
    if listed is None:
        return {offer.function.name: offer for offer in _defined(module)}
    names: dict[str, Offer] = {}
    for target in listed if isinstance(listed, (list, tuple)) else [listed]:
        if not callable(target):
            raise TypeError(f"reward_funcs has {target!r}, which is not a function")
        name = _name(module, target)
        offer = _of_class(name, target) if inspect.isclass(target) else _of_function(name, target)
        names[name] = offer or _offer(described(name, "trl", _parameters(target), _docstring(target)), target, target)
    return names


def rows(module: ModuleType, start: int, count: int) -> tuple[list[Mapping[str, Any]], int]:
    """Rows of the file's `train_dataset` from `start` on, at most `count`, and how many there are."""
    table = getattr(module, "train_dataset", None)
    if table is None:
        raise LookupError("the file has no train_dataset")
    wanted: list[Mapping[str, Any]] = [dict(table[index]) for index in range(start, min(start + count, len(table)))]
    return wanted, len(table)


def _defined(module: ModuleType) -> Iterator[Offer]:
    for name, value in vars(module).items():
        if name.startswith("_") or getattr(value, "__module__", None) != module.__name__:
            continue
        if getattr(value, "__name__", None) != name:
            continue  # another name for something, or a function made by one
        offer = _of_class(name, value) if inspect.isclass(value) else _of_function(name, value)
        if offer is not None:
            yield offer


def _of_function(name: str, target: Any) -> Offer | None:
    if not callable(target):
        return None
    function = recognise(name, _parameters(target), _docstring(target), of_class=False)
    return None if function is None else _offer(function, target, target)


def _of_class(name: str, target: Any) -> Offer | None:
    """An ms-swift class; its instance is made at the first call."""
    call = vars(target).get("__call__")
    if call is None:
        return None
    function = recognise(name, _parameters(call), _docstring(target), of_class=True)
    make = functools.cache(target)
    return None if function is None else _offer(function, lambda **columns: make()(**columns), call)


def _offer(function: OwnFunction, target: Callable[..., Any], declared: Callable[..., Any]) -> Offer:
    return Offer(function, target, frozenset(parameter.name for parameter in _parameters(declared)))


def _parameters(target: Callable[..., Any]) -> Sequence[Parameter]:
    return [
        Parameter(name, each.default is each.empty, each.kind is each.VAR_KEYWORD)
        for name, each in inspect.signature(target).parameters.items()
        if each.kind is not each.VAR_POSITIONAL
    ]


def _docstring(target: Any) -> str | None:
    text = getattr(target, "__doc__", None)
    return text if isinstance(text, str) else None


def _name(module: ModuleType, target: Any) -> str:
    """What the file calls it, else what it calls itself."""
    bound = [name for name, value in vars(module).items() if value is target]
    inner = target.func if isinstance(target, functools.partial) else target
    return bound[0] if bound else str(getattr(inner, "__name__", type(inner).__name__))


def _stand_in_for_swift() -> None:
    """Files written for ms-swift import its base class, which carries nothing; without the package it is made here."""
    if importlib.util.find_spec("swift") is not None:
        return
    import logging

    base = type("ORM", (), {"__module__": "swift.plugin"})
    names = {"ORM": base, "AsyncORM": base, "orms": {}, "get_logger": logging.getLogger}
    for name in ("swift", "swift.plugin", "swift.rewards", "swift.utils"):
        module = ModuleType(name)
        vars(module).update(names, __path__=[])
        sys.modules[name] = module
