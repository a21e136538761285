"""Which device a waiting run gets. Each GPU takes one run at a time, and so does the CPU."""

from collections.abc import Collection, Sequence

from core.config import RunConfig
from core.installation import gpu_count
from core.records.run import Run
from core.settings import Settings

CPU = "cpu"


def devices(settings: Settings) -> tuple[str, ...]:
    """The devices that runs may use here: "cpu", "cuda:0", "cuda:1", ..., numbered as nvidia-smi does."""
    numbers = range(gpu_count()) if settings.visible_gpus is None else settings.visible_gpus
    return (CPU, *(f"cuda:{number}" for number in numbers if number < gpu_count()))


def usable(config: RunConfig, present: Sequence[str]) -> list[str]:
    """Of the devices present those that this config may run on."""
    return suited(config.gpu, config.device, present)


def suited(gpu: str, device: str, present: Sequence[str]) -> list[str]:
    """The same by the names in a config: the profile, and a device or "auto"."""
    if gpu == CPU:
        return [CPU]
    return [name for name in present if name != CPU and device in ("auto", name)]


def device_of(run: Run) -> str:
    """Where a started run works."""
    known = run.facts.get("device")
    return str(known) if known else CPU if run.unreadable or run.config.gpu == CPU else "cuda:0"


def next_start(waiting: Sequence[Run], busy: Collection[str], present: Sequence[str]) -> tuple[Run, str] | None:
    """The first waiting run that has a free device, and that device. One that waits for a GPU holds up no other, and
    neither does one that this version cannot read."""
    for run in (run for run in waiting if not run.unreadable):
        free = [device for device in usable(run.config, present) if device not in busy]
        if free:
            return run, free[0]
    return None
