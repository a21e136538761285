"""`grouper bench NAME`: every measurement prints one JSON document on stdout, with --json or without."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from core import documents
from core.bench.pages import bench_pages
from core.bench.planning import bench_plan
from core.bench.rewards import bench_rewards
from core.bench.stack import bench_generation, bench_learning, bench_step
from core.bench.store import bench_store
from core.settings import load_settings

bench = typer.Typer(help="Measure Grouper itself.", rich_markup_mode=None)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@bench.command("plan")
def bench_planning(as_json: Json = False) -> None:
    """How long a memory plan takes."""
    found = bench_plan(load_settings())
    _print(found)


@bench.command("generation")
def bench_generating(
    repeats: Annotated[int, typer.Option(help="Runs of which the median counts.", min=1, max=99)] = 3,
    as_json: Json = False,
) -> None:
    """Tokens per second against plain generate, on the CPU and the built-in model. Takes a quarter of an hour."""
    found = bench_generation(load_settings(), repeats)
    _print(found)


@bench.command("step")
def bench_stepping(
    steps: Annotated[int, typer.Option(help="Measured steps of each contender.", min=1, max=99)] = 3,
    as_json: Json = False,
) -> None:
    """Seconds a step against stock TRL, on the CPU and the demo recipe. Takes a quarter of an hour."""
    found = bench_step(load_settings(), steps)
    _print(found)


@bench.command("learning")
def bench_learns(
    steps: Annotated[int, typer.Option(help="Steps of each run.", min=4, max=999)] = 16,
    seeds: Annotated[int, typer.Option(help="Runs of each contender, seeded 0, 1, ...", min=1, max=99)] = 3,
    as_json: Json = False,
) -> None:
    """Whether the demo learns as it does in stock TRL, by seed, in bf16 and NF4. Takes half an hour."""
    found = bench_learning(load_settings(), steps, seeds)
    _print(found)


@bench.command("pages")
def bench_dashboard(
    runs: Annotated[int, typer.Option(help="Runs in the database.", min=10, max=100_000)] = 500,
    steps: Annotated[int, typer.Option(help="Steps of each run.", min=10, max=1_000_000)] = 2000,
    keep: Annotated[Path | None, typer.Option(help="Leave the state in this folder, to use again.")] = None,
    as_json: Json = False,
) -> None:
    """How fast the pages answer over many long runs, and what fifty viewers cost. Needs 5 GB of disk."""
    found = bench_pages(load_settings(), runs, steps, keep)
    _print(found)


@bench.command("store")
def bench_storing(
    rows: Annotated[int, typer.Option(help="Completions in the store.", min=1000, max=100_000_000)] = 1_000_000,
    keep: Annotated[Path | None, typer.Option(help="Leave the store in this file, to use again.")] = None,
    as_json: Json = False,
) -> None:
    """Milliseconds of the completion browser's questions, and bytes per completion. A million rows take minutes."""
    found = bench_store(load_settings(), rows, keep)
    _print(found)


@bench.command("rewards")
def bench_scoring(
    completions: Annotated[int, typer.Option(help="Completions of 1 KiB that each is asked about.", min=256)] = 10_000,
    repeats: Annotated[int, typer.Option(help="Runs of which the median counts.", min=1, max=99)] = 5,
    as_json: Json = False,
) -> None:
    """Completions a second that rewards score: in their sandbox, and called directly for comparison."""
    found = bench_rewards(completions, repeats)
    _print(found)


def _print(found: dict[str, Any]) -> None:
    sys.stdout.write(documents.to_json(found) + "\n")
