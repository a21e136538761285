"""Short real runs of tasks in folders, launched from the command line on a tiny model, and what they leave."""

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine_support import grouper

from core.records.rollout import Completion, Group
from core.records.run import Run
from core.records.step import Step
from core.settings import Settings, load_settings
from core.store import open_database
from core.store.rollouts.load import list_groups
from core.store.runs import queries
from core.tasks.sandbox import syscalls
from core.tasks.sandbox.levels import BUBBLEWRAP, LEVELS, LOCKED, PLAIN, Level

HERE = syscalls.architecture()
MOUNT = (HERE and syscalls.NUMBERS["mount"][HERE.column]) or 0

SMALL: dict[str, Any] = {
    "steps": 3, "rank": 8, "fast_inference": "off", "group_size": 4, "prompts_per_step": 2, "prompt_tokens": 300,
    "completion_tokens": 12, "temperature": 1.2, "evaluate_every": 0,
}  # fmt: skip
# System calls without which a machine has no better level than this one.
WITHOUT: Mapping[Level, Sequence[int]] = {
    BUBBLEWRAP: (),
    LOCKED: (MOUNT,),
    PLAIN: (MOUNT, syscalls.LANDLOCK_CREATE),
}


@dataclass(frozen=True)
class Bench:
    """A state folder and the model that runs in it train."""

    home: Path
    model: Path

    @property
    def settings(self) -> Settings:
        return load_settings({"GROUPER_HOME": str(self.home)})

    def launch(
        self, folder: Path, *more: str, wait: bool = True, level: Level = LEVELS[0], **changes: Any
    ) -> "subprocess.CompletedProcess[str]":
        """Capitals among the changes are variables of the environment, the others settings of the run.

        level  the best protection that the machine is to have
        """
        variables = {name: value for name, value in changes.items() if name.isupper()}
        values = {**SMALL, **{name: value for name, value in changes.items() if not name.isupper()}}
        assigned = [part for name, value in values.items() for part in ("--set", f"{name}={value}")]
        asked = ("--task", str(folder), "--model", str(self.model), "--gpu", "cpu", *assigned, *more)
        return grouper(
            self.home, "launch", *asked, "--json", *(["--wait"] if wait else []), lacking=WITHOUT[level], **variables
        )

    def approve(self, folder: Path, *more: str) -> None:
        result = grouper(self.home, "task", "approve", str(folder), "--yes", *more)
        assert result.returncode == 0, result.stderr

    def trained(self, folder: Path, **changes: Any) -> "Left":
        """What a run leaves that ended as it should."""
        result = self.launch(folder, **changes)
        assert result.returncode == 0, result.stderr[-3000:]
        return self.left(json.loads(result.stdout)["run"])

    def left(self, run_id: str) -> "Left":
        database = open_database(self.settings.database_url)
        with database.reading() as connection:
            run, steps = queries.get_run(connection, run_id), queries.list_steps(connection, run_id)
            groups = [list_groups(connection, run_id, step.number, with_tokens=True) for step in steps]
        database.close()
        return Left(run, steps, groups, self.settings.run_folder(run_id))


@dataclass(frozen=True)
class Left:
    """groups: those of each step."""

    run: Run
    steps: list[Step]
    groups: list[list[Group]]
    folder: Path

    @property
    def completions(self) -> Iterator[Completion]:
        return (one for groups in self.groups for group in groups for one in group.completions)

    def scores(self, function: str) -> list[float | None]:
        return [score.value for one in self.completions for score in one.scores if score.function == function]

    def errors(self, function: str) -> list[str]:
        return [score.error for one in self.completions for score in one.scores if score.function == function]

    def sampled(self) -> list[tuple[Any, ...]]:
        """All that was asked and drawn, in its order."""
        return [
            (group.prompt, dict(group.fields), one.token_ids, one.reward, one.advantage)
            for groups in self.groups
            for group in groups
            for one in group.completions
        ]
