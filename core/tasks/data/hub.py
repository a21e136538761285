"""Data sets of the Hugging Face Hub: their data files and nothing else, at a commit that is then part of the data's
fingerprint. No script of a data set is downloaded or run.

Which files a config and a split have is kept in the cache: a commit which is on this disk opens without the Hub.
"""

import hashlib
import json
import re
import shutil
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from core.errors import InvalidInput
from core.models.locate import HUB_ID, HUB_TIMEOUT_S
from core.tasks.data.choice import choose_files
from core.tasks.data.hub_answers import DatasetInfo, Hub, OutOfReach, ask, dataset_info
from core.tasks.data.index import write_whole
from core.tasks.data.layout import Layout, converted_layout, layout_of
from core.tasks.data.rows import Progress
from core.tasks.data.source import DataSource
from core.units import GIB, gib

COMMIT = re.compile(r"[0-9a-f]{40}")
CONVERTED = "refs/convert/parquet"  # the branch with the Hub's own conversion of a data set
FREE = 2 * GIB  # left on the disk


@dataclass(frozen=True)
class HubFiles:
    """What a source on the Hub comes to.

    source  the same with config, split and the commit filled in
    files   (name in the repository, path on this disk)
    notes   what was chosen without being asked, as sentences
    """

    source: DataSource
    files: tuple[tuple[str, Path], ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Resolved:
    """A source with what the Hub says of it, as it is kept in the cache."""

    config: str
    split: str
    commit: str
    files: tuple[str, ...]
    nbytes: int
    notes: tuple[str, ...] = ()


def fetch(source: DataSource, hub: Hub, cache: Path, progress: Progress | None = None) -> HubFiles:
    """Downloads a source's data files where this disk has not got them; `progress` gets bytes.

    Raises InvalidInput for a malformed name, an unknown config, split or revision, a licence that is not accepted, a
    full disk and a Hub out of reach; NotFound for a data set that does not exist.
    """
    if not HUB_ID.match(source.repository):
        raise InvalidInput("data", source.location, "which names no data set", "write hub:owner/name")
    kept = _read_record(source, hub, cache)
    if kept and COMMIT.fullmatch(source.revision) and (here := _on_disk(source, kept, hub)):
        return here
    try:
        resolved = _resolve(source, hub)
        files = _download(source, resolved, hub, progress)
    except OutOfReach:
        if kept and (here := _on_disk(source, kept, hub)):
            note = f"The Hub cannot be reached: commit {kept.commit[:7]} of {source.repository} from this disk is used."
            return replace(here, notes=(*here.notes, note))
        raise InvalidInput(
            "data",
            source.location,
            "which is not on this disk, and the Hugging Face Hub cannot be reached",
            "check the connection, or name a local file",
        ) from None
    pinned = _pinned(source, resolved)
    for each in (source, pinned):
        write_whole(_record(each, hub, cache), json.dumps(asdict(resolved)).encode())
    return HubFiles(pinned, files, resolved.notes)


def _resolve(source: DataSource, hub: Hub) -> _Resolved:
    """Asks the Hub which commit and which files are meant."""
    found = ask(source, hub, lambda: dataset_info(source, hub, source.revision))
    notes: tuple[str, ...] = ()
    layout = layout_of(found.names, found.card)
    if not layout and not source.revision:
        found, layout = _converted(source, hub)
        notes = (f"{source.repository} has no data files that are read here: the Hub's own conversion is.",)
    if source.config not in layout:  # the commit may be one of the Hub's conversion
        conversion = converted_layout(found.names)
        layout = conversion if source.config in conversion else layout
    if not layout:
        raise InvalidInput(
            "data",
            source.location,
            "which has no .parquet, .jsonl or .csv files",
            "name another data set, or download it and convert it",
        )
    config, split, files = choose_files(layout, source.config, source.split, source.repository)
    if not (source.config and source.split):
        notes = (*notes, f"{source.repository}: config {config}, split {split}.")
    return _Resolved(config, split, found.commit, files, sum(found.sizes.get(each, 0) for each in files), notes)


def _converted(source: DataSource, hub: Hub) -> tuple[DatasetInfo, Layout]:
    from huggingface_hub.errors import RevisionNotFoundError

    def converted() -> DatasetInfo:
        try:
            return dataset_info(source, hub, CONVERTED)
        except RevisionNotFoundError:
            return DatasetInfo("", (), {}, {})

    found = ask(source, hub, converted)
    return found, converted_layout(found.names)


def _download(
    source: DataSource, resolved: _Resolved, hub: Hub, progress: Progress | None
) -> tuple[tuple[str, Path], ...]:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.constants import HF_HUB_CACHE

    folder = Path(hub.cache or HF_HUB_CACHE)
    folder.mkdir(parents=True, exist_ok=True)
    missing = resolved.nbytes - sum(path.stat().st_size for _, path in _cached(source, resolved, hub))
    if missing > shutil.disk_usage(folder).free - FREE:
        problem = f"of which {gib(missing)} would have to be downloaded, and the disk of {folder} has no room for it"
        raise InvalidInput("data", source.location, problem, "free some space, or name a smaller config or split")
    bar = _bar(resolved.nbytes, progress)

    def download(name: str) -> str:
        return hf_hub_download(
            source.repository,
            name,
            repo_type="dataset",
            revision=resolved.commit,
            cache_dir=hub.cache,
            token=hub.token,
            endpoint=hub.endpoint,
            etag_timeout=HUB_TIMEOUT_S,
            tqdm_class=bar,
        )

    return tuple((name, Path(ask(source, hub, partial(download, name)))) for name in resolved.files)


def _bar(total: int, progress: Progress | None) -> Any:
    """What huggingface_hub takes for a progress bar: draws nothing, and tells `progress`."""
    from tqdm import tqdm

    done = 0

    class Bar(tqdm):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **{**options, "disable": True})

        def update(self, n: float | None = 1) -> None:
            nonlocal done
            done += int(n or 0)
            if progress:
                progress(min(done, total), total)

    return Bar


def _pinned(source: DataSource, resolved: _Resolved) -> DataSource:
    return replace(source, config=resolved.config, split=resolved.split, revision=resolved.commit)


def _cached(source: DataSource, resolved: _Resolved, hub: Hub) -> list[tuple[str, Path]]:
    """Those of the files that are on this disk."""
    from huggingface_hub import try_to_load_from_cache

    paths = (
        (name, try_to_load_from_cache(source.repository, name, hub.cache, resolved.commit, "dataset"))
        for name in resolved.files
    )
    return [(name, Path(path)) for name, path in paths if isinstance(path, str) and Path(path).is_file()]


def _on_disk(source: DataSource, resolved: _Resolved, hub: Hub) -> HubFiles | None:
    """The source's files if this disk has all of them."""
    files = _cached(source, resolved, hub)
    whole = len(files) == len(resolved.files)
    return HubFiles(_pinned(source, resolved), tuple(files), resolved.notes) if whole else None


def _record(source: DataSource, hub: Hub, cache: Path) -> Path:
    about = json.dumps([hub.endpoint, source.repository, source.config, source.split, source.revision])
    return cache / "hub" / f"{hashlib.sha256(about.encode()).hexdigest()}.json"


def _read_record(source: DataSource, hub: Hub, cache: Path) -> _Resolved | None:
    try:
        found = json.loads(_record(source, hub, cache).read_bytes())
        return _Resolved(**{**found, "files": tuple(found["files"]), "notes": tuple(found["notes"])})
    except (OSError, ValueError, KeyError, TypeError):
        return None
