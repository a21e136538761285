"""How long a plan takes, and a preview as the page asks for it."""

import contextlib
import itertools
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from core import planner
from core.catalogue import load_catalogue
from core.errors import InvalidInput
from core.planning.remedies import remedies
from core.planning.resolved_run import resolve
from core.planning.run_plan import preview
from core.settings import Settings
from core.tasks.registry import compose

REPEATS = 5


def bench_plan(settings: Settings) -> dict[str, Any]:
    """Milliseconds of one plan over every model and GPU, and of one preview with advice over every GPU.

    JSON: {plans, plan_ms: {median, p95, max}, previews, preview_ms: {median, p95, max}}
    """
    catalogue = load_catalogue()
    workload = planner.Workload()
    shapes = [planner.geometry_from_config(dict(model.geometry), model.alias) for model in catalogue.models]
    plans = [
        _milliseconds(partial(planner.plan, shape, gpu, workload))
        for shape, gpu in itertools.product(shapes, catalogue.gpus)
        if shape.max_position_embeddings >= workload.sequence_tokens
    ]
    previews = [
        _milliseconds(partial(_preview, settings, model.alias, gpu.id))
        for model, gpu in itertools.product(catalogue.models, catalogue.gpus)
        if model.family in ("SmolLM2", "Qwen3", "Mixtral")
    ]
    return {
        "plans": len(plans),
        "plan_ms": _spread(plans),
        "previews": len(previews),
        "preview_ms": _spread(previews),
    }


def _preview(settings: Settings, model: str, gpu: str) -> None:
    """What the page does for every move of a slider: config, plan, and advice where it does not fit."""
    run = resolve(settings, compose("addition", model, gpu, {}))
    if not preview(settings, run).fits:
        remedies(run)


def _milliseconds(work: Callable[[], object]) -> float:
    taken = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        with contextlib.suppress(InvalidInput):  # a refusal is an answer too
            work()
        taken.append(1000 * (time.perf_counter() - began))
    return statistics.median(taken)


def _spread(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {
        "median": round(statistics.median(ordered), 3),
        "p95": round(ordered[int(0.95 * (len(ordered) - 1))], 3),
        "max": round(ordered[-1], 3),
    }
