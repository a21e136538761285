"""A saved task as one file to share: a zip of its folder."""

import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from core.errors import InvalidInput
from core.tasks.generator import Generator
from core.tasks.own.build import OwnTask
from core.tasks.own.saved import ABOUT, SavedTask, save_task
from core.tasks.own.spec import FILE, read_spec

LARGEST = 256 << 20  # bytes, unpacked
MOST_FILES = 1000


def export_task(saved: SavedTask, target: Path) -> Path:
    """Writes the archive. Raises InvalidInput where its rows lie outside the saved folder, or the file exists."""
    source = saved.spec.data.source
    if source and Path(source).is_absolute():
        problem = "whose rows are too many to be kept with the task"
        raise InvalidInput("task", saved.name, problem, "share the data apart, or put it on the Hub and name it there")
    if target.exists():
        raise InvalidInput("file", str(target), "which exists", "name another file")
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(saved.folder.rglob("*")):
            if path.is_file() and path.name != ABOUT:
                archive.write(path, path.relative_to(saved.folder))
    return target


def import_task(path: Path, tasks: Path, cache: Path, generators: Mapping[str, Generator]) -> SavedTask:
    """Saves the task of an archive or a folder. Nothing of it is run, and its Python file is agreed to by nobody yet.

    Raises NotFound and InvalidInput, and stores nothing then.
    """
    if path.is_dir() or path.name == FILE:
        folder = path if path.is_dir() else path.parent
        return save_task(OwnTask(read_spec(path), folder, cache), tasks, generators)
    with TemporaryDirectory(prefix="grouper-task-") as draft:
        _unpack(path, Path(draft))
        spec = read_spec(Path(draft))
        _refuse_outside(spec.data.source)
        _refuse_outside(spec.evaluation.source)
        return save_task(OwnTask(spec, Path(draft), Path(draft) / ".cache"), tasks, generators)


def _unpack(path: Path, folder: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [each for each in archive.infolist() if not each.is_dir()]
            if len(members) > MOST_FILES or sum(each.file_size for each in members) > LARGEST:
                raise InvalidInput("file", path.name, "which is too large for a task", "import the folder instead")
            for each in members:
                _unpack_one(archive, each, folder, path.name)
    except FileNotFoundError:
        raise InvalidInput("file", str(path), "which does not exist", "check the path") from None
    except (OSError, zipfile.BadZipFile, RuntimeError, EOFError) as error:
        raise InvalidInput("file", path.name, f"which is no archive of a task ({error})", "export it again") from None


def _unpack_one(archive: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path, name: str) -> None:
    place = PurePosixPath(member.filename)
    link = (member.external_attr >> 16) & 0o170000 == 0o120000
    if place.is_absolute() or ".." in place.parts or "\\" in member.filename or link:
        raise InvalidInput("file", name, f"which holds {member.filename}", "import an archive that Grouper exported")
    target = folder / place
    target.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(member) as packed, target.open("xb") as unpacked:
        shutil.copyfileobj(packed, unpacked)


def _refuse_outside(source: str) -> None:
    """An archive reads nothing of the machine that it is imported on."""
    if source and not source.startswith("hub:") and (Path(source).is_absolute() or ".." in Path(source).parts
            or source.startswith("~")):  # fmt: skip
        raise InvalidInput("data.source", source, "which lies outside the archive", "export the task with its rows")
