"""Measurements of Grouper itself: medians of several runs, taking turns with what is compared. `grouper bench NAME`."""

from core.bench.pages import bench_pages
from core.bench.planning import bench_plan
from core.bench.stack import bench_generation, bench_learning, bench_step
from core.bench.store import bench_store

__all__ = ["bench_generation", "bench_learning", "bench_pages", "bench_plan", "bench_step", "bench_store"]
