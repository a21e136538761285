"""What the page New task keeps while it is filled in: a folder for the draft, its fields, and the task they make."""

import shutil
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomlkit

from core.errors import InvalidInput
from core.settings import Settings
from core.tasks.builtin.generators import GENERATORS
from core.tasks.data import Table
from core.tasks.data.roles import RoleGuess
from core.tasks.own.build import OwnTask
from core.tasks.own.drafting import OWN_FILE, Draft
from core.tasks.own.saved import SavedTask, find_saved, save_task
from core.tasks.own.spec import TaskSpec, make_spec, parse_options, plain
from core.tasks.registry import INDEXES

SLOTS = 6  # rewards that the form has room for
FIELDS = ("system", "user", "messages", "shots", "gold", "held_out", "bad_rows", "name", "title", "code")
OWN = "own:"
LARGEST_UPLOAD = 2 << 30  # bytes


@dataclass(frozen=True)
class Drafting:
    """What stays on the server between two clicks.

    folder   of the draft, "" before there is data; data: what the task file says about it
    columns  names of the data's columns; guesses: what each was taken for; start: settings to start a run with
    """

    folder: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    guesses: tuple[RoleGuess, ...] = ()
    start: Mapping[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        return Path(self.folder)


def new_folder(settings: Settings) -> Path:
    folder = settings.home / "drafts" / uuid.uuid4().hex
    folder.mkdir(parents=True)
    return folder


def taken_in(upload: str | None, source: str, folder: Path, settings: Settings) -> str:
    """Where the draft's task file finds the data: an uploaded file copied beside it, or what was typed.

    Raises InvalidInput for nothing, and for a path on a machine that strangers share.
    """
    if upload:
        kept = folder / Path(upload).name
        shutil.copyfile(upload, kept)
        return kept.name
    if not source.strip():
        raise InvalidInput("data", "", "which is empty", "give a file, a folder or hub:owner/name")
    if settings.on_space and not source.startswith("hub:"):
        raise InvalidInput("data", source, "which is a path on this Space", "upload the file, or name hub:owner/name")
    return source.strip() if source.startswith("hub:") else str(Path(source.strip()).expanduser().resolve())


def filled(draft: Draft) -> dict[str, Any]:
    """A drafted task as the form's fields; rewards apart."""
    spec = draft.spec
    assert spec.prompt
    return {
        "system": spec.prompt.system,
        "user": spec.prompt.user,
        "messages": spec.prompt.messages,
        "shots": spec.prompt.shots,
        "gold": spec.prompt.gold,
        "held_out": spec.evaluation.rows,
        "bad_rows": spec.data.bad_rows,
        "name": spec.name,
        "title": spec.title,
        "code": draft.code,
    }


def reward_rows(spec: TaskSpec) -> list[tuple[str, float, str]]:
    """(what scores, weight, options as lines) of each reward."""
    rows = []
    for part in spec.reward[:SLOTS]:
        options = dict(part.options)
        if part.name:
            options["name"] = part.name
        for key, usual in (("whole_batch", False), ("form", "chat")):
            if getattr(part, key) != usual:
                options[key] = getattr(part, key)
        rows.append((part.use or f"{OWN}{part.function}", part.weight, tomlkit.dumps(options).strip()))
    return rows


def spec_of(drafting: Drafting, fields: Mapping[str, Any], rewards: Sequence[tuple[str, Any, str]]) -> TaskSpec:
    """The task that the form says. Raises InvalidInput naming what is wrong."""
    if not drafting.folder:
        raise InvalidInput("data", "", "which is not open yet", "open a file, a folder or a data set first")
    if not any(what for what, _, _ in rewards):
        raise InvalidInput("reward", "", "which is missing", "choose one in step 3")
    prompt = {name: fields[name] for name in ("system", "user", "messages", "gold") if str(fields[name] or "").strip()}
    values: dict[str, Any] = {
        "name": str(fields["name"]).strip(),
        "title": str(fields["title"] or "").strip(),
        "data": {**drafting.data, "bad_rows": fields["bad_rows"]},
        "evaluation": {"rows": fields["held_out"] or 0},
        "prompt": {**prompt, "shots": fields["shots"] or 0},
        "reward": [_reward(*row) for row in rewards if row[0]],
        "start": dict(drafting.start),
    }
    return make_spec(values)


def _reward(what: str, weight: Any, options: str) -> dict[str, Any]:
    named = {"python": f"{OWN_FILE}:{what.removeprefix(OWN)}"} if what.startswith(OWN) else {"use": what}
    return {**named, "weight": weight if weight is not None else 1.0, **parse_options(options, what)}


def own_of(settings: Settings, drafting: Drafting, spec: TaskSpec, code: str) -> OwnTask:
    """The draft as a task in its folder, with the Python file as it stands in the form."""
    if spec.file:
        (drafting.path / spec.file).write_text(code or "", encoding="utf-8")
    return OwnTask(spec, drafting.path, settings.tasks / INDEXES)


def kept(settings: Settings, own: OwnTask) -> SavedTask:
    """Saves the draft and removes its folder; a Python file in it waits to be agreed to."""
    saved = save_task(own, settings.tasks, GENERATORS)
    shutil.rmtree(own.folder, ignore_errors=True)
    return saved


def copied(settings: Settings, name: str) -> tuple[Drafting, Draft]:
    """A draft that begins as this saved version. Raises NotFound, InvalidInput for one without rows of its own."""
    saved = find_saved(name, settings.tasks)
    if not saved.spec.data.source:
        raise InvalidInput("task", name, "whose examples a function makes", "change its task file by hand")
    folder = new_folder(settings)
    shutil.copytree(saved.folder, folder, dirs_exist_ok=True)
    code = (folder / saved.spec.file).read_text(encoding="utf-8") if saved.spec.file else ""
    for path in folder.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
    document = plain(saved.spec)
    own = OwnTask(saved.spec, folder, settings.tasks / INDEXES)
    drafting = drafted(folder, own.table, document["data"], (), document.get("start", {}))
    return drafting, Draft(saved.spec, (), code)


def drafted(
    folder: Path, table: Table, data: Mapping[str, Any], guesses: Sequence[RoleGuess], start: Mapping[str, Any]
) -> Drafting:
    return Drafting(str(folder), data, tuple(column.name for column in table.columns), tuple(guesses), start)
