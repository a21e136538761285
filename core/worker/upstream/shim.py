"""One name of another project that is used though nobody promised it."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

ESSENTIAL = ""


@dataclass(frozen=True)
class Shim:
    """A private name, and everything somebody needs who meets it after an upgrade.

    name      as the project's own source has it
    why       what it is used for here
    known     versions it was tried with
    upstream  where it is defined, or where the public way was asked for
    until     when this can go
    check     "" while it is as expected, else what is not, to follow the name in a sentence: "takes no `x`"
    without   what a run does without it, where it can: "steps are planned by vLLM's own scheduler". ESSENTIAL: nothing,
              and a run ends before it loads anything
    device    "cpu" or "cuda" where only runs on such a device lean on it
    """

    project: str
    name: str
    why: str
    known: str
    upstream: str
    until: str
    check: Callable[[], str]
    without: str = ESSENTIAL
    device: str = ""

    @property
    def problem(self) -> str:
        """What is not as expected, in a sentence; "" where all is well."""
        try:
            found = self.check()
        except Exception as error:  # whatever an unknown version does when it is asked
            found = f"cannot be looked at ({type(error).__name__}: {str(error)[:120]})"
        return f"{self.name} of {self.project} {release(self.project)} {found}; known to work: {self.known}" * bool(
            found
        )


def release(project: str) -> str:
    """The installed version; vLLM's build for CPUs is a package of its own."""
    for package in (project, f"{project}-cpu"):
        try:
            return version(package)
        except PackageNotFoundError:
            continue
    return "that is not installed"


def takes(path: str, *parameters: str) -> Callable[[], str]:
    """Checks that "module:Class.function" is there and takes these parameters among others, first ones first."""

    def check() -> str:
        function = resolve(path)
        if function is None:
            return "is gone"
        present = [name for name in inspect.signature(function).parameters if name != "self"]
        missing = [name for name in parameters if name not in present]
        if missing:
            return f"takes no {' and no '.join(missing)}"
        return (
            "" if [name for name in present if name in parameters] == [*parameters] else "takes them in another order"
        )

    return check


def holds(path: str, *names: str) -> Callable[[], str]:
    """Checks that "module:Class" is there and has these attributes."""

    def check() -> str:
        owner = resolve(path)
        missing = [name for name in names if not hasattr(owner, name)]
        if owner is None:
            return "is gone"
        return f"has no {' and no '.join(missing)}" if missing else ""

    return check


def reads(path: str, *names: str) -> Callable[[], str]:
    """Checks that "module:Class.function" is there and that its code still speaks of these names."""

    def check() -> str:
        function = resolve(path)
        if function is None:
            return "is gone"
        code = inspect.unwrap(function).__code__
        spoken = {*code.co_names, *code.co_varnames, *(each for each in code.co_consts if isinstance(each, str))}
        missing = [name for name in names if name not in spoken]
        return f"speaks no more of {' and '.join(missing)}" if missing else ""

    return check


def release_is(project: str, *known: tuple[int, int]) -> Callable[[], str]:
    """Checks that the installed version is one of these (major, minor): for a class whose every field matters."""

    def check() -> str:
        found = tuple(int(part) for part in release(project).split("+")[0].split(".")[:2] if part.isdigit())
        return "" if found in known else "was not tried"

    return check


def all_of(*checks: Callable[[], str]) -> Callable[[], str]:
    """The first finding of several checks."""
    return lambda: next((found for each in checks if (found := each())), "")


def resolve(path: str) -> Any:
    """What "module:dotted.name" means, None where there is no such thing."""
    module, _, name = path.partition(":")
    try:
        found: Any = import_module(module)
    except ImportError:
        return None
    for part in name.split(".") if name else ():
        found = inspect.getattr_static(found, part, None) if inspect.isclass(found) else getattr(found, part, None)
        if found is None:
            return None
    return getattr(found, "__wrapped__", found)
