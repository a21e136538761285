"""Saved tasks in the state folder: `NAME@HASH`, written once and never changed."""

import json
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from core.errors import InvalidInput, NotFound
from core.tasks.generator import Generator
from core.tasks.own.build import OwnTask, generated_task
from core.tasks.own.spec import FILE, TaskSpec, identity, make_spec, plain, read_spec, write_spec
from core.tasks.task import Task

ABOUT = "saved.json"
COPIED = 32 << 20  # bytes of data that are copied along; larger data stays where it is
ROWS = "data"


@dataclass(frozen=True)
class SavedTask:
    """A saved version. `name` is what a run's `recipe` says: NAME@HASH."""

    name: str
    folder: Path
    spec: TaskSpec
    saved_at: float
    fingerprint: str

    @property
    def short(self) -> str:
        """The name without the hash."""
        return self.name.partition("@")[0]


def save_task(own: OwnTask, tasks: Path, generators: Mapping[str, Generator]) -> SavedTask:
    """Keeps a task as it is now and returns its version; the same task again is the same version.

    Rows of up to 32 MiB are copied, larger data is referred to where it lies and checked by its fingerprint. Raises
    InvalidInput for a task whose parts do not fit together.
    """
    spec, fingerprint = own.spec, ""
    if spec.data.use:
        generated_task(spec, own.folder, generators)
    else:
        own.task().examples(1, seed=0)  # at least one row can be asked about
        fingerprint = _fingerprint(own)
    code = (own.folder / spec.file).read_bytes() if spec.file else b""
    name = f"{spec.name}@{identity(spec, code, fingerprint)}"
    target = tasks / name
    if not target.exists():
        tasks.mkdir(parents=True, exist_ok=True)
        draft = Path(mkdtemp(prefix=".draft-", dir=tasks))
        try:
            _write(own, draft, code, fingerprint)
            os.replace(draft, target)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            if not target.exists():  # another process saved the same meanwhile
                raise
    return find_saved(name, tasks)


def _write(own: OwnTask, folder: Path, code: bytes, fingerprint: str) -> None:
    spec = own.spec
    if spec.file:
        (folder / spec.file).write_bytes(code)
        (folder / spec.file).chmod(0o444)
    if not spec.data.use:
        spec = make_spec({**plain(spec), "data": _kept_data(own, folder), **_kept_evaluation(own, folder)})
    (folder / FILE).write_text(write_spec(spec), encoding="utf-8")
    about = {"saved_at": time.time(), "fingerprint": fingerprint, "from": str(own.folder)}
    (folder / ABOUT).write_text(json.dumps(about, indent=1), encoding="utf-8")


def _kept_data(own: OwnTask, folder: Path) -> dict[str, Any]:
    data = plain(own.spec)["data"]
    if own.spec.data.source.startswith("hub:"):
        pinned = own.table.source
        return {**data, "config": pinned.config, "split": pinned.split, "revision": pinned.revision}
    return {**data, "source": _kept(own.folder, own.spec.data.source, own.table.nbytes, folder, ROWS)}


def _kept_evaluation(own: OwnTask, folder: Path) -> dict[str, Any]:
    asked, table = own.spec.evaluation, own.evaluation_table
    if not asked.source or table is None or asked.source.startswith("hub:"):
        return {}
    kept = _kept(own.folder, asked.source, table.nbytes, folder, "evaluation")
    return {"evaluation": {**plain(own.spec)["evaluation"], "source": kept}}


def _kept(base: Path, source: str, nbytes: int, folder: Path, under: str) -> str:
    """Where the saved task finds its rows: a copy beside it, or, where they are many, the place they have."""
    path = (base / Path(source).expanduser()).resolve()
    if nbytes > COPIED:
        return str(path)
    if path.is_dir():
        shutil.copytree(path, folder / under, ignore=shutil.ignore_patterns(".*"))
        return under
    (folder / under).mkdir()
    shutil.copyfile(path, folder / under / path.name)
    return f"{under}/{path.name}"


def find_saved(name: str, tasks: Path) -> SavedTask:
    """The saved version NAME@HASH, or the newest of NAME. Raises NotFound, and InvalidInput for a damaged one."""
    short, _, version = name.partition("@")
    if version:
        found = [each for each in _versions(tasks, short) if each.name == name]
    else:
        found = sorted(_versions(tasks, short), key=lambda folder: _about(folder).get("saved_at", 0.0))
    if not found:
        known = ", ".join(sorted({each.short for each in list_saved(tasks)}))
        remedy = f"choose one of {known}" if known else "save one with `grouper task import` or on the page Tasks"
        raise NotFound("task", name, "which is not saved here", remedy)
    return _read(found[-1])


def list_saved(tasks: Path) -> list[SavedTask]:
    """All saved versions, the newest first; a damaged one is left out."""
    found = []
    for folder in _versions(tasks):
        try:
            found.append(_read(folder))
        except InvalidInput:
            continue
    return sorted(found, key=lambda task: task.saved_at, reverse=True)


def load_saved(saved: SavedTask, cache: Path, generators: Mapping[str, Generator]) -> Task:
    """The task of a saved version. Raises InvalidInput where its data has gone."""
    if saved.spec.data.use:
        return generated_task(saved.spec, saved.folder, generators, saved.name)
    return OwnTask(saved.spec, saved.folder, cache).task(saved.name)


def check_data(saved: SavedTask, cache: Path) -> None:
    """Raises InvalidInput where the rows of a saved version are not those that it was saved with."""
    if saved.spec.data.use:
        return
    own = OwnTask(saved.spec, saved.folder, cache)
    if saved.fingerprint and _fingerprint(own) != saved.fingerprint:
        problem = f"whose rows have changed since {saved.name} was saved"
        raise InvalidInput("data.source", saved.spec.data.source, problem, "save the task again")


def _fingerprint(own: OwnTask) -> str:
    """Of all rows that a task reads."""
    tables = [own.table, *([own.evaluation_table] if own.evaluation_table else [])]
    return " ".join(table.fingerprint for table in tables)


def delete_saved(saved: SavedTask) -> None:
    """Removes a version. Whether a run still needs it is the caller's to ask."""
    shutil.rmtree(saved.folder)


def _versions(tasks: Path, short: str = "") -> list[Path]:
    if not tasks.is_dir():
        return []
    return [each for each in tasks.iterdir() if each.is_dir() and each.name.startswith(f"{short}@" if short else "")
            and "@" in each.name and not each.name.startswith(".")]  # fmt: skip


def _read(folder: Path) -> SavedTask:
    about = _about(folder)
    return SavedTask(
        folder.name, folder, read_spec(folder), float(about.get("saved_at", 0.0)), str(about.get("fingerprint", ""))
    )


def _about(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
