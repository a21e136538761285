"""Memory plans: of a resolved run, of a workload for any model, and the planner against measurements."""

import json
from pathlib import Path
from typing import Any

from core import planner
from core.catalogue import Catalogue, GpuProfile
from core.errors import InvalidInput
from core.models.locate import ModelSource, read_config
from core.planner.calibration import calibrated
from core.planning.calibration import calibration
from core.planning.resolved_run import ResolvedRun
from core.planning.workload import as_trained
from core.settings import Settings


def preview(settings: Settings, run: ResolvedRun) -> planner.MemoryPlan:
    """Where the memory of this run will go, as far as this machine's own runs can tell.

    Raises InvalidInput for a model that cannot be read or is not understood.
    """
    return calibrated(run.plan, calibration(settings, run.config.gpu))


def plan_workload(model: ModelSource, gpu: GpuProfile, workload: planner.Workload) -> planner.MemoryPlan:
    """The plan of a workload that no run's config has to say.

    Raises InvalidInput for a model that cannot be read or is not understood.
    """
    geometry = planner.geometry_from_config(read_config(model), model.name)
    return planner.plan(geometry, gpu, as_trained(geometry, workload), model.alias)


def check_measurements(path: Path, catalogue: Catalogue) -> dict[str, Any]:
    """The planner against the published measurements in a file of the form {"rows": [...]}.

    Raises InvalidInput when the file cannot be read as such.
    """
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["rows"]
    except (OSError, ValueError, KeyError, TypeError):
        raise InvalidInput("--check", str(path), "which is no file of measurements", 'give it "rows"') from None
    return planner.compare_published(rows, catalogue)
