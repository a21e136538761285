"""A run's checkpoints: written at the end of a step, the newest and the best kept, the newest whole one found again.

What counts is what is on the disk: a checkpoint that was written but not yet noted in the store is as good as any.
"""

import logging
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from peft import PeftModel

from core.records.run import Checkpoint
from core.worker.checkpoints.files import TrainingState, damage, load_checkpoint, save_checkpoint

log = logging.getLogger(__name__)
PREFIX = "step-"


@dataclass(frozen=True)
class ResumePoint:
    """The checkpoint to go on from, if any, and what was wrong with newer ones."""

    folder: Path | None
    step: int
    damaged: tuple[str, ...]


class Checkpoints:
    """The folder of one run's checkpoints.

    keep  how many of the newest stay; the one with the best reward stays besides
    """

    def __init__(self, folder: Path, keep: int, base_name: str) -> None:
        self._folder, self._keep, self._base_name = folder, keep, base_name

    def write(self, step: int, reward: float | None, policy: PeftModel, state: TrainingState) -> Checkpoint:
        folder = self._folder / f"{PREFIX}{step:06d}"
        digest = save_checkpoint(policy, folder, self._base_name, state)
        return Checkpoint(step, str(folder), digest, reward, time.time())

    def surplus(self, known: Sequence[Checkpoint]) -> list[Checkpoint]:
        """Those that neither the newest nor the best are among."""
        newest = sorted(known, key=lambda each: each.step)[-self._keep :]
        scored = [each for each in known if each.reward is not None]
        best = max(scored, key=lambda each: (each.reward, each.step), default=None)
        return [each for each in known if each not in newest and each != best]

    def remove(self, gone: Sequence[Checkpoint]) -> None:
        for each in gone:
            shutil.rmtree(each.path, ignore_errors=True)

    def newest(self) -> ResumePoint:
        """The newest checkpoint whose every file is what was written; half-written leftovers are removed."""
        for left in self._folder.glob("*.partial"):
            shutil.rmtree(left, ignore_errors=True)
        damaged: list[str] = []
        for folder in sorted(self._folder.glob(f"{PREFIX}*"), reverse=True):
            problem = damage(folder)
            if not problem:
                return ResumePoint(folder, int(folder.name.removeprefix(PREFIX)), tuple(damaged))
            damaged.append(f"The checkpoint {folder.name} is damaged ({problem}) and was passed over.")
        return ResumePoint(None, 0, tuple(damaged))

    def load(self, found: ResumePoint, policy: PeftModel) -> TrainingState | None:
        return load_checkpoint(policy, found.folder) if found.folder is not None else None
