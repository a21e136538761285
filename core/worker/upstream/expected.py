"""Holds what is installed against the shelf of private names, before anything is loaded."""

from collections.abc import Collection

from core.errors import RunError
from core.worker.upstream.shim import Shim
from core.worker.upstream.shims import SHIMS


def trainer_of(quantization: str) -> tuple[str, ...]:
    """The projects that a trainer with base weights held this way leans on."""
    return ("trl", "transformers", "torch", "peft", *(["bitsandbytes"] if quantization == "nf4" else []))


def must_be_as_expected(projects: Collection[str], device: str) -> list[str]:
    """What a run on this kind of device ("cpu" or "cuda") does without, a sentence each, because a private name of
    these projects is not as it was.

    Raises RunError for the first name that no run can do without.
    """
    unlike = unexpected(projects, device)
    for shim, problem in unlike:
        if not shim.without:
            remedy = f"Install the versions that work with `make setup`. The name is needed because {shim.why}."
            raise RunError("unknown-version", f"{problem}.", remedy)
    return [without(shim, problem) for shim, problem in unlike]


def unexpected(projects: Collection[str], device: str) -> list[tuple[Shim, str]]:
    """The names of these projects that are not as expected, each with what is not."""
    shelf = (shim for shim in SHIMS if shim.project in projects and shim.device in ("", device))
    return [(shim, problem) for shim in shelf if (problem := shim.problem)]


def without(shim: Shim, problem: str) -> str:
    """What is not as expected and what a run does instead, in two sentences."""
    return f"{problem}. So {shim.without}."
