"""The command that plans memory."""

from pathlib import Path
from typing import Annotated

import typer

from core import documents
from core.catalogue import load_catalogue
from core.cli import render
from core.cli.options import Json, chosen
from core.cli.output import show_result
from core.config.run_config import parse_assignments
from core.errors import InvalidInput
from core.installation import detected_gpu
from core.models.locate import locate
from core.planning.run_plan import check_measurements, plan_workload
from core.planning.workload import make_workload, workers_way
from core.settings import load_settings


def plan(
    model: Annotated[str, typer.Option(help="Catalogue alias, Hub id or local folder; not with --check.")] = "",
    gpu: Annotated[str, typer.Option(help="GPU profile; empty: this machine's.")] = "",
    rank: Annotated[int | None, typer.Option(help="LoRA rank.")] = None,
    quantization: Annotated[str | None, typer.Option(help="Base weights in the trainer: none or nf4.")] = None,
    gpu_memory_utilization: Annotated[float | None, typer.Option(help="Share of the GPU the engine may take.")] = None,
    group_size: Annotated[int | None, typer.Option(help="Completions of one prompt.")] = None,
    prompts_per_step: Annotated[int | None, typer.Option(help="Prompts in a step.")] = None,
    prompt_tokens: Annotated[int | None, typer.Option(help="Longest prompt.")] = None,
    completion_tokens: Annotated[int | None, typer.Option(help="Longest completion.")] = None,
    assignments: Annotated[list[str], typer.Option("--set", metavar="KEY=VALUE", help="Any planner setting.")] = [],  # noqa: B006
    check: Annotated[Path | None, typer.Option(help="Compare with the measurements in this file instead.")] = None,
    as_json: Json = False,
) -> None:
    """Where the memory of a run goes, before anything is loaded."""
    catalogue = load_catalogue()
    if check is not None:
        found = check_measurements(check, catalogue)
        show_result(as_json, found, render.check_text(found))
        return
    if not model:
        raise InvalidInput("--model", model, "which is empty", "name a model, such as --model smollm2-135m")
    given = {
        "rank": rank,
        "quantization": quantization,
        "gpu_memory_utilization": gpu_memory_utilization,
        "group_size": group_size,
        "prompts_per_step": prompts_per_step,
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
    }
    profile = catalogue.gpu(gpu or detected_gpu().id)
    workload = make_workload({**workers_way(profile), **parse_assignments(assignments), **chosen(given)})
    planned = plan_workload(locate(model, catalogue, load_settings().models), profile, workload)
    show_result(as_json, documents.plan_json(planned), render.plan_text(planned))
