"""Measurements of Grouper itself: medians of several runs in one process. `grouper bench NAME`."""

from core.bench.planning import bench_plan

__all__ = ["bench_plan"]
