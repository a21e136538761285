"""From a source to its table: which files it is, and a reader for each."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from core.errors import InvalidInput
from core.tasks.data.choice import choose
from core.tasks.data.csv_rows import open_csv
from core.tasks.data.hub import fetch
from core.tasks.data.hub_answers import Hub
from core.tasks.data.index import file_key
from core.tasks.data.jsonl import open_jsonl
from core.tasks.data.layout import by_split, kind_of
from core.tasks.data.parquet import open_parquet
from core.tasks.data.rows import Progress, Rows
from core.tasks.data.source import DataSource
from core.tasks.data.table import Table
from core.tasks.data.unpack import unpack
from core.units import plural

READABLE = "use .jsonl, .csv or .parquet"
MAX_FILES = 10_000


def open_table(
    source: DataSource, *, base: Path, cache: Path, progress: Progress | None = None, hub: Hub | None = None
) -> Table:
    """The table that a source names; its first rows are there at once, the rest is read when it is asked for.

    base      folder that relative paths start from
    cache     folder for indexes, unpacked files and copies, all of which may be deleted at any time
    progress  gets bytes while a file is downloaded or unpacked
    Raises InvalidInput for what is not there, is empty or cannot be read, and for a config, split or revision that does
    not exist; NotFound for a data set that the Hub does not have.
    """
    if source.on_hub:
        found = fetch(source, hub or Hub(), cache, progress)
        pinned = found.source
        parts = [_open(path, PurePosixPath(name).name, cache, progress) for name, path in found.files]
        origin = f"{pinned.location}@{pinned.revision} {pinned.config} {pinned.split}"
        return _checked(Table(parts, pinned, found.notes, origin))
    path = base / Path(source.location).expanduser()
    _refuse_hub_fields(source)
    if path.is_dir():
        return _checked(_open_folder(source, path, cache, progress))
    if source.split:
        raise InvalidInput("split", source.split, f"and {source.location} is a single file", "leave the split out")
    return _checked(Table([_open(path, source.location, cache, progress)], source))


def _open_folder(source: DataSource, folder: Path, cache: Path, progress: Progress | None) -> Table:
    """All data files of a folder, which have to be of one kind, in the order of their names."""
    names = sorted(each.name for each in folder.iterdir() if each.is_file() and not each.name.startswith("."))
    data = [name for name in names if kind_of(name)]
    if not data:
        raise InvalidInput("data", source.location, "a folder without data files", READABLE + " files")
    kinds = {kind_of(name): name for name in reversed(data)}
    if len(kinds) > 1:
        problem = f"a folder with files of several kinds ({', '.join(sorted(kinds.values()))})"
        raise InvalidInput("data", source.location, problem, "keep one kind, or name a file")
    splits = by_split(data)
    split = choose("split", source.split, splits, "", source.location)
    chosen = splits[split]
    if len(chosen) > MAX_FILES:
        problem = f"a folder with {len(chosen):,} data files, and no more than {MAX_FILES:,} are read"
        raise InvalidInput("data", source.location, problem, "put them together into fewer files")
    others = len(names) - len(data)
    notes = (f"{source.location}: {plural(others, 'other file')} not read.",) if others else ()
    return Table([_open(folder / name, name, cache, progress) for name in chosen], source, notes)


def _open(path: Path, name: str, cache: Path, progress: Progress | None) -> Rows:
    """The rows of one file. Raises InvalidInput."""
    kind = kind_of(path.name) or kind_of(name)
    try:
        _check_file(path, name, kind)
        content = unpack(path, cache, progress) if path.suffix.lower() == ".gz" else path
        file_key(content, "")  # reads it at both ends
        if kind == "parquet":
            return open_parquet(content, name, cache)
        if kind == "csv":
            tabs = Path(name.lower().removesuffix(".gz")).suffix == ".tsv"
            return open_csv(content, name, cache, "\t" if tabs else "")
        return open_jsonl(content, name, cache)
    except OSError as failure:
        problem = f"which cannot be read ({failure.strerror or failure})"
        raise InvalidInput("data", name, problem, "check the file and who may read it") from None


def _check_file(path: Path, name: str, kind: str) -> None:
    if not path.exists():
        raise InvalidInput("data", name, "a file or folder that does not exist", "check the path")
    if not path.is_file():
        raise InvalidInput("data", name, "which is neither a file nor a folder", READABLE + " files")
    if not kind:
        ending = f"whose ending {path.suffix} is not known" if path.suffix else "which has no ending"
        raise InvalidInput("data", name, ending, READABLE)
    if not path.stat().st_size:
        raise InvalidInput("data", name, "an empty file", "name one with rows")


def _refuse_hub_fields(source: DataSource) -> None:
    for field in ("config", "revision"):
        if value := getattr(source, field):
            problem = f"and {source.location} is not on the Hub, where alone there are such"
            raise InvalidInput(field, value, problem, "leave it out, or write hub:owner/name as the data")


def _checked(table: Table) -> Table:
    """The table, if it has a row and its files have the same columns."""
    _check_columns(table.parts)
    if next(table.scan(), None) is None:
        raise InvalidInput("data", table.source.location, "which has no rows", "name data with rows")
    return table


def _check_columns(parts: Sequence[Rows]) -> None:
    first = parts[0]
    for part in parts[1:]:
        odd = sorted(set(first.columns) ^ set(part.columns))
        if odd:
            has, lacks = (first, part) if odd[0] in first.columns else (part, first)
            problem = f"which {lacks.name} does not have and {has.name} has"
            raise InvalidInput("column", odd[0], problem, "give all files the same columns")
