"""Which of a folder's or a Hub data set's files belong together: the kinds of files, configs and splits."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cache
from pathlib import PurePosixPath
from typing import Any

from core.tasks.data.rows import MAX_DEPTH

Layout = Mapping[str, Mapping[str, tuple[str, ...]]]  # config -> split -> files in name order

SUFFIXES = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
}
SPLITS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing", "eval", "evaluation"),
}
WORD = re.compile(r"[a-z]+")
# Beside the data in many data sets, and not data.
NOT_DATA = {"dataset_infos.json", "dataset_info.json", "config.json", "state.json", "package.json"}


def kind_of(name: str) -> str:
    """ "jsonl", "csv" or "parquet"; empty for a file that is none of these. Text may be packed with gzip."""
    path = PurePosixPath(name)
    if path.name in NOT_DATA or path.name.startswith("."):
        return ""
    suffix = path.suffix.lower()
    if suffix == ".gz":
        inner = SUFFIXES.get(PurePosixPath(path.stem).suffix.lower(), "")
        return "" if inner == "parquet" else inner
    return SUFFIXES.get(suffix, "")


def split_of(name: str) -> str:
    """The split that a path names, the last word that does deciding: "data/train-00000-of-00002.parquet" -> "train"."""
    words = {word: split for split, names in SPLITS.items() for word in names}
    named = [words[word] for word in WORD.findall(name.lower()) if word in words]
    return named[-1] if named else ""


def by_split(files: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Files by the split in their names; those that name none are "train"."""
    splits: dict[str, list[str]] = {}
    for name in sorted(files):
        splits.setdefault(split_of(name) or "train", []).append(name)
    return {split: tuple(names) for split, names in splits.items()}


def layout_of(files: Sequence[str], card: Mapping[str, Any]) -> Layout:
    """What a data set's card says of its files, or what their names do where it says nothing.

    files  all paths in the repository
    card   the YAML at the head of its README
    """
    data = [name for name in files if kind_of(name)]
    configs = card.get("configs")
    layout = {}
    for config in configs if isinstance(configs, list) else ():
        if isinstance(config, dict) and isinstance(config.get("config_name"), str):
            layout[config["config_name"]] = _splits_of(config, data)
    layout = {name: splits for name, splits in layout.items() if splits}
    if layout:
        return layout
    main = Counter(map(kind_of, data)).most_common(1)
    splits = by_split(name for name in data if kind_of(name) == main[0][0])
    return {"default": splits} if splits else {}


def converted_layout(files: Iterable[str]) -> Layout:
    """The layout of the Hub's own conversion to Parquet: "config/split/0000.parquet"; a partial one is passed over."""
    layout: dict[str, dict[str, tuple[str, ...]]] = {}
    for name in sorted(files):
        parts = name.split("/")
        if len(parts) == 3 and kind_of(name) == "parquet" and not parts[1].startswith("partial-"):
            splits = layout.setdefault(parts[0], {})
            splits[parts[1]] = (*splits.get(parts[1], ()), name)
    return layout


def _splits_of(config: Mapping[str, Any], data: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The splits of one entry under `configs:` in a card."""
    folder = config.get("data_dir")
    inside = f"{folder.strip('/')}/" if isinstance(folder, str) and folder.strip("./") else ""
    data = [name for name in data if name.startswith(inside)]
    listed = config.get("data_files")
    if listed is None:
        return by_split(data)
    if isinstance(listed, dict):
        listed = [{"split": split, "path": path} for split, path in listed.items()]
    if isinstance(listed, str):
        listed = [listed]
    splits: dict[str, tuple[str, ...]] = {}
    for entry in listed if isinstance(listed, list) else ():
        entry = entry if isinstance(entry, dict) else {"split": "train", "path": entry}
        paths = entry.get("path")
        patterns = [each for each in (paths if isinstance(paths, list) else [paths]) if isinstance(each, str)]
        found = [name for name in data if any(_matches(name, inside + each.removeprefix("./")) for each in patterns)]
        if found:
            split = str(entry.get("split", "train"))
            splits[split] = tuple(sorted({*splits.get(split, ()), *found}))
    return splits


def _matches(name: str, pattern: str) -> bool:
    """Whether a path is meant by a card's pattern: `*` and `?` within a folder, `**` over folders."""
    parts, patterns = name.split("/"), pattern.split("/")

    @cache  # each pair is looked at once, however many `**` somebody wrote
    def match(part: int, place: int) -> bool:
        if place == len(patterns):
            return part == len(parts)
        if patterns[place] == "**":
            return match(part, place + 1) or (part < len(parts) and match(part + 1, place))
        return part < len(parts) and fnmatchcase(parts[part], patterns[place]) and match(part + 1, place + 1)

    return len(patterns) <= MAX_DEPTH and match(0, 0)
