"""Packages that a reward imports when it scores, because they are large or belong to an extra."""

import importlib
import importlib.util
from collections.abc import Mapping
from types import ModuleType

from core.errors import InvalidInput


def imported(module: str, extra: str) -> ModuleType:
    """The module. Raises InvalidInput, which names Grouper's extra, where the package is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError:
        raise missing(module, extra) from None


def refuse_missing(needs: Mapping[str, str]) -> None:
    """Raises InvalidInput for the first module that is not installed; imports none."""
    for module, extra in needs.items():
        if importlib.util.find_spec(module.partition(".")[0]) is None:
            raise missing(module, extra)


def missing(module: str, extra: str) -> InvalidInput:
    package = module.partition(".")[0].replace("_", "-")
    problem = f"which needs the package {package}, and it is not installed"
    return InvalidInput("reward", module, problem, f"install Grouper's extra {extra}: pip install 'grouper[{extra}]'")
