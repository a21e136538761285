"""The memory planner: where every byte of a run goes, before anything is loaded.

Pure arithmetic on frozen values. No torch, no driver, no clock: the same model, GPU and workload give the same plan,
and a plan takes well under two milliseconds. Numbers that no shape gives are in `constants`, each with its origin.

    geometry_from_config(config)          config.json -> Geometry, or a refusal naming what is not understood
    plan(geometry, gpu, workload)         -> MemoryPlan: lines, phases, KV cache, verdict
    advice(geometry, gpu, workload)       -> the smallest changes that make a workload fit
    recommend(geometry, gpu)              -> a workload to start from, with reasons
    compare_published(rows, catalogue)    -> the planner against published measurements
"""

from core.planner.advice import Change, advice, advice_for
from core.planner.architectures import ARCHITECTURES, geometry_from_config
from core.planner.check import compare_published
from core.planner.geometry import Geometry
from core.planner.kv_cache import KvCache, kv_cache
from core.planner.lines import NAMES, Line, MemoryPhase
from core.planner.plan import MemoryPlan, plan
from core.planner.recommend import Choice, Recommendation, recommend
from core.planner.workload import Workload

__all__ = [
    "ARCHITECTURES",
    "NAMES",
    "Change",
    "Choice",
    "Geometry",
    "KvCache",
    "Line",
    "MemoryPhase",
    "MemoryPlan",
    "Recommendation",
    "Workload",
    "advice",
    "advice_for",
    "compare_published",
    "geometry_from_config",
    "kv_cache",
    "plan",
    "recommend",
]
