"""The web side of a job: checking it, queueing it, starting its worker, noticing that a worker died.

Meets the worker only in the store and on the command line.
"""

from core.jobs.builtin import prepare_builtin
from core.jobs.calibration import calibration, doubt, learn
from core.jobs.doctor import TRIED, Check, examine, report, verdict, versions
from core.jobs.fitting import Remedy, remedies, ways_out
from core.jobs.health import Advisory, advisories
from core.jobs.planning import check_measurements, make_setting, plan_setting, preview, workers_way
from core.jobs.preflight import check
from core.jobs.resuming import can_resume, differences, resume
from core.jobs.stack import Stack, detected_gpu, stack_report
from core.jobs.starting import BestSettings, best_settings, fitting_models, worked_example
from core.jobs.submission import config_like, delete, log_size, log_tail, run_next, standing, stop, submit
from core.jobs.supervisor import Supervisor, tick
from core.jobs.taking import export_run

__all__ = [
    "TRIED",
    "Advisory",
    "BestSettings",
    "Check",
    "Remedy",
    "Stack",
    "Supervisor",
    "advisories",
    "best_settings",
    "calibration",
    "can_resume",
    "check",
    "check_measurements",
    "config_like",
    "delete",
    "detected_gpu",
    "differences",
    "doubt",
    "examine",
    "export_run",
    "fitting_models",
    "learn",
    "log_size",
    "log_tail",
    "make_setting",
    "plan_setting",
    "prepare_builtin",
    "preview",
    "remedies",
    "report",
    "resume",
    "run_next",
    "stack_report",
    "standing",
    "stop",
    "submit",
    "tick",
    "verdict",
    "versions",
    "ways_out",
    "worked_example",
    "workers_way",
]
