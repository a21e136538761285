"""Examples that a function makes, for tasks without rows of their own."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from core.tasks.task import Example


@dataclass(frozen=True)
class Generator:
    """Where a task's examples come from when no file holds them.

    generate  (source, seed) -> endless examples; the same source and seed give the same examples
    gold      fields -> a completion that scores 1.0 with every reward of the task
    """

    generate: Callable[[str, int], Iterator[Example]]
    gold: Callable[[Mapping[str, Any]], str]
    needs_dataset: bool = False
