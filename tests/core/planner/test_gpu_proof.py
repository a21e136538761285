"""The planner against whole runs measured on one GPU, engine and trainer in one process (data/gpu_proof.json)."""

import json
import math
from dataclasses import replace
from typing import Any

import pytest

from core.catalogue import load_catalogue
from core.config import make_config
from core.planner import MemoryPlan, geometry_from_config, plan
from core.planner.constants import DRIVER_BYTES
from core.planning.workload import workload_of
from core.settings import PROJECT

PROOF = json.loads((PROJECT / "data" / "gpu_proof.json").read_text(encoding="utf-8"))
CATALOGUE = load_catalogue()


def planned(values: dict[str, Any]) -> MemoryPlan:
    config = make_config({"recipe": "addition", **values})
    geometry = geometry_from_config(CATALOGUE.find_model(config.model).geometry, config.model)
    gpu = CATALOGUE.gpu(config.gpu)
    return plan(geometry, gpu, replace(workload_of(config, gpu), fast_inference="on"))


def error(row: dict[str, Any]) -> float:
    """Planned over measured peak; the driver's own share is no part of what a process can measure."""
    return (planned(row["config"]).peak_bytes - DRIVER_BYTES) / row["peak_bytes"] - 1


@pytest.mark.parametrize("row", PROOF["memory"], ids=lambda row: f"{row['config']['model']}-r{row['config']['rank']}")
def test_a_measured_peak_is_met(row: dict[str, Any]) -> None:
    assert abs(error(row)) < 0.07


def test_the_mean_error_is_small() -> None:
    errors = [abs(error(row)) for row in PROOF["memory"]]
    assert math.fsum(errors) / len(errors) < 0.03


STARTED = [row for row in (*PROOF["memory"], *PROOF["engine_starts"]) if "kv_blocks" in row]


@pytest.mark.parametrize("row", STARTED, ids=lambda row: f"{row['config']['model']}-r{row['config']['rank']}")
def test_an_engine_gets_the_blocks_that_were_planned(row: dict[str, Any]) -> None:
    """An engine that can give its cache back is left with somewhat more; why is not known."""
    within = 1.5e-2 if row["config"].get("sleep_kv_cache") else 1.5e-3
    assert planned(row["config"]).kv_cache.blocks == pytest.approx(row["kv_blocks"], rel=within)
