"""Attacks a task's rewards before anything is trained on them: texts that should score, and texts that should not."""

from core.tasks.bench.attack import bench
from core.tasks.bench.earlier import Change, Earlier
from core.tasks.bench.lines import as_lines
from core.tasks.bench.report import BenchReport, Finding, RewardReport

__all__ = ["BenchReport", "Change", "Earlier", "Finding", "RewardReport", "as_lines", "bench"]
