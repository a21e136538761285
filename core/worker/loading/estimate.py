"""How long each phase of loading will probably take."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from core.config import RunConfig
from core.records.run import LoadPhase

# Seconds of the first run of a model, before anything was measured: (fixed, a GB of 16-bit weights), from two CPU
# cores with a 135M model; a slower disk shows in the second run's estimate.
FIRST = {
    "find model": (1.0, 1.0),
    "start engine": (10.0, 4.0),
    "read weights": (1.0, 2.0),
    "attach adapter": (0.3, 0.2),
    "hash base weights": (0.1, 0.5),
    "prepare data": (0.5, 0.0),
    "try packing": (0.5, 4.0),
    "prove adapter live": (1.5, 8.0),
}
CONVERTING = 12.0  # the built-in model, once
WITHOUT_ENGINE = 0.1
NF4 = 3.0  # quantising while reading, as times the seconds of reading
GB = 1e9


def expected_seconds(
    config: RunConfig, earlier: Sequence[Sequence[LoadPhase]], folder: Path | None, weight_bytes: float
) -> dict[str, float]:
    """Seconds by phase in the order in which they come: the median of earlier loads of this model on this machine, or
    a guess from the size of the weights.

    earlier       the load phases of earlier runs of the same model, engine and quantisation
    folder        where the model's files are or will be
    weight_bytes  of the 16-bit weights
    """
    guesses = {name: fixed + rate * weight_bytes / GB for name, (fixed, rate) in FIRST.items()}
    if folder is not None and not folder.is_dir():
        guesses["find model"] += CONVERTING
    if config.fast_inference == "off":
        guesses["start engine"] = WITHOUT_ENGINE
    if config.quantization == "nf4":
        guesses["read weights"] *= NF4
    return {**guesses, **({} if folder is not None and not folder.is_dir() else _medians(earlier))}


def _medians(earlier: Sequence[Sequence[LoadPhase]]) -> Mapping[str, float]:
    seconds: dict[str, list[float]] = {}
    for phases in earlier:
        for phase in phases:
            seconds.setdefault(phase.name, []).append(phase.seconds)
    return {name: median(values) for name, values in seconds.items() if name in FIRST}
