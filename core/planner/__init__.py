"""The memory planner: where every byte of a run goes, before anything is loaded.

Pure arithmetic on frozen values. No torch, no driver, no clock: the same model, GPU and setting give the same plan, and
a plan takes well under two milliseconds. Numbers that no shape gives are in `constants`, each with its origin.

    geometry_from_config(config)          config.json -> Geometry, or a refusal naming what is not understood
    plan(geometry, gpu, setting)          -> Plan: lines, phases, KV cache, verdict
    advice(geometry, gpu, setting)        -> the smallest changes that make a setting fit
    recommend(geometry, gpu)              -> a setting to start from, with reasons
    check(rows, catalogue)                -> the planner against published measurements
"""

from core.planner.advice import Change, advice
from core.planner.architectures import ARCHITECTURES, geometry_from_config
from core.planner.check import check
from core.planner.geometry import LINEAR_MODULES, Geometry
from core.planner.kv_cache import KvCache, kv_cache
from core.planner.lines import NAMES, Line, Phase
from core.planner.plan import Plan, plan
from core.planner.recommend import Choice, Recommendation, recommend
from core.planner.workload import Setting

__all__ = [
    "ARCHITECTURES",
    "LINEAR_MODULES",
    "NAMES",
    "Change",
    "Choice",
    "Geometry",
    "KvCache",
    "Line",
    "Phase",
    "Plan",
    "Recommendation",
    "Setting",
    "advice",
    "check",
    "geometry_from_config",
    "kv_cache",
    "plan",
    "recommend",
]
