"""The entries of a plan, in the order and under the names in which they are always shown."""

from collections.abc import Iterable
from dataclasses import dataclass

NAMES = (
    "base weights",
    "engine weights",
    "engine overhead",
    "KV cache",
    "adapter slots",
    "adapter",
    "gradients",
    "optimizer states",
    "activations",
    "head",
    "kept by malloc",
    "margin",
)


@dataclass(frozen=True)
class Line:
    """One use of memory: name, bytes, how they come about in words with the numbers in it, and whose figure it is."""

    name: str
    bytes: int
    formula: str
    source: str = ""

    def to_json(self) -> dict[str, str | int]:
        return {"name": self.name, "bytes": self.bytes, "formula": self.formula, "source": self.source}


@dataclass(frozen=True)
class MemoryPhase:
    """What is in memory at the fullest moment of a phase. `parts` are the steps of a phase that has several."""

    name: str
    lines: tuple[Line, ...]
    parts: tuple["MemoryPhase", ...] = ()

    @property
    def total_bytes(self) -> int:
        return sum(line.bytes for line in self.lines)

    def bytes_of(self, name: str) -> int:
        """Bytes of the line with this name, 0 where the phase has none."""
        return next((line.bytes for line in self.lines if line.name == name), 0)

    def to_json(self) -> dict[str, object]:
        shown: dict[str, object] = {
            "lines": [line.to_json() for line in self.lines],
            "total_bytes": self.total_bytes,
        }
        if self.parts:
            shown["parts"] = {part.name: part.to_json() for part in self.parts}
        return shown


def memory_phase(name: str, lines: Iterable[Line]) -> MemoryPhase:
    """A phase with its lines in the fixed order, empty ones left out."""
    kept = sorted((line for line in lines if line.bytes), key=lambda line: NAMES.index(line.name))
    return MemoryPhase(name, tuple(kept))


def busiest(name: str, parts: tuple[MemoryPhase, ...]) -> MemoryPhase:
    """A phase made of steps, showing the lines of its fullest step."""
    return MemoryPhase(name, max(parts, key=lambda part: part.total_bytes).lines, parts)
