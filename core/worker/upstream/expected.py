"""Holds what is installed against the shelf of private names, before anything is loaded."""

from collections.abc import Collection

from core.errors import RunError
from core.worker.upstream.shim import Shim
from core.worker.upstream.shims import SHIMS

TRAINER = ("trl", "transformers", "torch", "peft")


def used_by(engine: str, quantization: str) -> tuple[str, ...]:
    """The projects that a run with this engine and quantisation leans on."""
    return (*TRAINER, *(["vllm"] if engine == "vllm" else []), *(["bitsandbytes"] if quantization == "nf4" else []))


def must_be_as_expected(projects: Collection[str]) -> list[str]:
    """What a run does without, a sentence each, because a private name is not as it was.

    Raises RunError for the first one that no run can do without.
    """
    unlike = [(shim, problem) for shim in SHIMS if shim.project in projects and (problem := shim.problem)]
    for shim, problem in unlike:
        if not shim.without:
            remedy = f"Install a version that works with `make setup`; {shim.name} is needed because {shim.why}."
            raise RunError("unknown-version", f"{problem}.", remedy)
    return [switched_off(shim, problem) for shim, problem in unlike]


def switched_off(shim: Shim, problem: str) -> str:
    return f"{problem}. So {shim.without}."
