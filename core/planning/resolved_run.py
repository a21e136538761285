"""A run's config with everything that its names stand for, looked up once."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from core import planner
from core.catalogue import GpuProfile, load_catalogue
from core.config import RunConfig, make_config
from core.models.locate import ModelSource, locate, read_config
from core.planning.workload import as_trained, workload_of
from core.settings import Settings
from core.tasks.registry import get_recipe
from core.tasks.task import Task

NAMES = ("model", "gpu", "recipe")
OF_THE_MODEL = ("model_config", "geometry")


@dataclass(frozen=True)
class ResolvedRun:
    """A config and the values of the names in it, made by `resolve` where a request or a process begins.

    gpu    the profile that the memory is planned for
    model  where its files are; they need not be there yet
    task   data, prompt and rewards of the config's recipe

    What follows from these is worked out when it is first asked for, and once: a worker never asks for the geometry,
    and a model that the planner does not understand is refused where it is planned, not where it is named.
    """

    config: RunConfig
    gpu: GpuProfile
    model: ModelSource
    task: Task

    @cached_property
    def model_config(self) -> dict[str, Any]:
        """The model's config.json. Raises InvalidInput when it cannot be read or fetched."""
        return read_config(self.model)

    @cached_property
    def geometry(self) -> planner.Geometry:
        """The model's shape. Raises InvalidInput for one that is not understood."""
        return planner.geometry_from_config(self.model_config, self.model.name)

    @cached_property
    def workload(self) -> planner.Workload:
        """What the worker will do, in the planner's terms. Raises InvalidInput for what cannot be planned."""
        asked = workload_of(self.config, self.gpu)
        return as_trained(self.geometry, asked)

    @cached_property
    def plan(self) -> planner.MemoryPlan:
        """Where the memory goes by arithmetic alone; `run_plan.preview` adds what runs here have taught.

        Raises InvalidInput where the config contradicts the model or the GPU.
        """
        workload = self.workload
        return planner.plan(self.geometry, self.gpu, workload, self.model.alias)

    def changed(self, overrides: Mapping[str, Any]) -> "ResolvedRun":
        """The same model, GPU and task with other fields changed. Raises InvalidInput for a value that cannot be."""
        assert not set(NAMES) & set(overrides), "another name is another thing to resolve"
        other = replace(self, config=make_config({**self.config.model_dump(), **overrides}))
        vars(other).update({name: value for name, value in vars(self).items() if name in OF_THE_MODEL})
        return other


def resolve(settings: Settings, config: RunConfig) -> ResolvedRun:
    """Looks up the names in a config. Reads nothing of the model and reaches no network.

    Raises NotFound for a recipe or GPU that is not known, InvalidInput for a model that nothing can be meant by.
    """
    catalogue, task = load_catalogue(), get_recipe(config.recipe, settings.tasks)
    return ResolvedRun(config, catalogue.gpu(config.gpu), locate(config.model, catalogue, settings.models), task)
