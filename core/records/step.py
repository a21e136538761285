"""One optimizer step."""

from collections.abc import Mapping
from dataclasses import dataclass

from core.records.rollout import Group


@dataclass(frozen=True)
class Step:
    """One optimizer step: what was sampled, what was measured.

    metrics  name -> value; a value that was not a number is None
    seconds  phase -> seconds: generate, sync, reward, update
    memory   name -> bytes, measured at the end of the step
    """

    number: int
    metrics: Mapping[str, float | None]
    seconds: Mapping[str, float]
    memory: Mapping[str, int]
    groups: tuple[Group, ...] = ()
    at: float = 0.0
