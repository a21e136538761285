"""`calibration.json` in the state folder: planned against measured memory of this machine's own runs."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.config import RunConfig
from core.planner.calibration import Calibration
from core.records.run import Run
from core.settings import Settings
from core.store import Database
from core.store.runs import queries
from core.units import plural

MOST_RUNS = 200
# A run that ended in its first steps may not have met its longest completions yet.
FEWEST_STEPS = 3


def learn(database: Database, settings: Settings) -> None:
    """Adds the runs that ended since the last look. Safe to call at any time, from any process."""
    known = _read(settings)
    seen = {row["run"] for row in known}
    with database.reading() as connection:
        fresh = [
            _row(run, measured)
            for run, measured in queries.measured_peaks(connection, MOST_RUNS)
            if run.id not in seen and run.step >= FEWEST_STEPS
        ]
    if fresh:
        _write(settings, [*known, *fresh][-MOST_RUNS:])


def calibration(settings: Settings, gpu: str) -> Calibration:
    """What is known about this kind of device here."""
    rows = [row for row in _read(settings) if row["gpu"] == gpu]
    return Calibration(tuple(row["measured_bytes"] / row["planned_bytes"] for row in rows))


def doubt(settings: Settings, config: RunConfig) -> str:
    """How far to trust a plan, in words: estimated, calibrated on this device, or measured with these very weights."""
    alike = [
        row["measured_bytes"] / row["planned_bytes"]
        for row in _read(settings)
        if all(row.get(name) == getattr(config, name) for name in ("gpu", "model", "rank", "quantization"))
    ]
    if not alike:
        return f"{calibration(settings, config.gpu).sentence}."
    runs = plural(len(alike), "run")
    return f"Measured here: {runs} of this model at rank {config.rank} peaked at {max(alike):.0%} of what was planned."


def _row(run: Run, measured: int) -> dict[str, Any]:
    assert run.plan is not None
    config = run.config
    return {
        "run": run.id,
        "gpu": config.gpu,
        "model": config.model,
        "rank": config.rank,
        "quantization": config.quantization,
        "planned_bytes": max(run.plan.phases.values()),
        "measured_bytes": measured,
    }


def _file(settings: Settings) -> Path:
    return settings.home / "calibration.json"


def _read(settings: Settings) -> list[dict[str, Any]]:
    """The rows learned so far; a file that cannot be read is learned anew."""
    try:
        rows = json.loads(_file(settings).read_text(encoding="utf-8"))["runs"]
        return [row for row in rows if row["planned_bytes"] > 0 and row["measured_bytes"] > 0]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _write(settings: Settings, rows: Sequence[dict[str, Any]]) -> None:
    path = _file(settings)
    scratch = path.with_name(f"{path.name}.{os.getpid()}")
    scratch.write_text(json.dumps({"runs": list(rows)}, indent=1), encoding="utf-8")
    scratch.replace(path)
