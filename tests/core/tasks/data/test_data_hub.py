"""Data sets of the Hub: which files are meant, at which commit, and what is said when that is not clear."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hub_support import FakeHub, commit_of

from core.errors import InvalidInput, NotFound
from core.tasks.data import DataSource, Hub, Table, open_table
from core.tasks.data.layout import layout_of

Open = Callable[..., Table]


def parquet(*questions: str) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table({"q": list(questions)}), file)
    return file.getvalue()


DATASETS = {
    "owner/maths": {
        "main": {
            "README.md": b"---",
            "maths.py": b"raise SystemExit",
            "easy/train-00000-of-00002.parquet": parquet("one", "two"),
            "easy/train-00001-of-00002.parquet": parquet("three"),
            "easy/test-00000-of-00001.parquet": parquet("four"),
            "hard/train-00000-of-00001.parquet": parquet("five"),
        },
        "older": {"easy/train-00000-of-00001.parquet": parquet("old")},
    },
    "owner/lines": {"main": {"train.jsonl": b'{"q": "one"}\n', "test.jsonl": b'{"q": "two"}\n', "notes.csv": b"x,y\n"}},
    "owner/script": {
        "main": {"script.py": b"raise SystemExit"},
        "refs/convert/parquet": {
            "default/train/0000.parquet": parquet("converted"),
            "other/test/0000.parquet": parquet("x"),
        },
    },
    "owner/hostile": {"main": {"../../../train-evil.jsonl": b'{"q": "evil"}', "train.jsonl": b'{"q": "one"}'}},
    "owner/pictures": {"main": {"a.png": b"x"}},
    "owner/closed": {"main": {"train.csv": b"q,a\none,1\n"}},
}
CARDS = {
    "owner/maths": {
        "configs": [
            {
                "config_name": name,
                "data_files": [{"split": split, "path": f"{name}/{split}-*"} for split in ("train", "test")],
            }
            for name in ("easy", "hard")
        ]
    }
}


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    fake = FakeHub(DATASETS, CARDS, gated={"owner/closed"})
    yield fake
    fake.close()


@pytest.fixture
def hub_table(hub: FakeHub, base: Path, cache: Path, tmp_path: Path) -> Open:
    """Opens a data set of the fake Hub."""
    way = Hub(hub.endpoint, tmp_path / "hub", token="none")

    def open_it(name: str, progress: Any = None, **source: str) -> Table:
        return open_table(DataSource(f"hub:{name}", **source), base=base, cache=cache, hub=way, progress=progress)

    return open_it


def test_only_the_data_files_of_the_split_are_downloaded(hub_table: Open, hub: FakeHub) -> None:
    progress: list[tuple[int, int]] = []
    table = hub_table("owner/maths", config="easy", progress=lambda done, of: progress.append((done, of)))
    assert [row["q"] for row in table.first(9)] == ["one", "two", "three"]
    assert table.where(2) == "train-00001-of-00002.parquet, row 1"
    downloaded = {asked.rpartition("/")[2] for asked in hub.asked if asked.startswith("GET /datasets/")}
    assert downloaded == {"train-00000-of-00002.parquet", "train-00001-of-00002.parquet"}
    assert table.source == DataSource("hub:owner/maths", "easy", "train", commit_of("main"))
    assert table.notes == ("owner/maths: config easy, split train.",)
    assert progress[-1][0] == progress[-1][1] == table.nbytes


def test_the_commit_is_in_the_fingerprint(hub_table: Open, opened: Open, hub: FakeHub) -> None:
    table, local = hub_table("owner/lines"), opened("train.jsonl", '{"q": "one"}\n')
    assert table.row(0) == local.row(0)
    assert table.fingerprint != local.fingerprint
    assert hub_table("owner/lines", split="test").fingerprint != table.fingerprint
    assert hub_table("owner/lines", revision=commit_of("main")).fingerprint == table.fingerprint


def test_a_revision_is_another_commit(hub_table: Open) -> None:
    table = hub_table("owner/maths", config="easy", revision="older")
    assert (table.first(9), table.source.revision) == ([{"q": "old"}], commit_of("older"))


def test_a_pinned_commit_on_this_disk_asks_nobody(hub_table: Open, hub: FakeHub) -> None:
    pinned = hub_table("owner/maths", config="hard").source
    before = len(hub.asked)
    again = hub_table("owner/maths", config=pinned.config, split=pinned.split, revision=pinned.revision)
    assert again.first(9) == [{"q": "five"}]
    assert len(hub.asked) == before


def test_without_the_hub_what_is_on_this_disk_is_used_and_said(hub_table: Open, hub: FakeHub, tmp_path: Path) -> None:
    hub_table("owner/maths", config="easy")
    hub.close()
    table = hub_table("owner/maths", config="easy")
    assert len(table.first(9)) == 3
    assert table.notes[-1] == (
        f"The Hub cannot be reached: commit {commit_of('main')[:7]} of owner/maths from this disk is used."
    )
    with pytest.raises(InvalidInput, match="is not on this disk, and the Hugging Face Hub cannot be reached"):
        hub_table("owner/maths", config="hard")
    next((tmp_path / "hub").rglob("train-00001-of-00002.parquet")).unlink()
    with pytest.raises(InvalidInput, match="is not on this disk"):  # and no table of half the files
        hub_table("owner/maths", config="easy")


def test_a_data_set_of_a_script_is_read_from_the_hubs_conversion(hub_table: Open, hub: FakeHub) -> None:
    table = hub_table("owner/script", config="default")
    assert table.first(9) == [{"q": "converted"}]
    assert table.source.revision == commit_of("refs/convert/parquet")
    assert "the Hub's own conversion" in table.notes[0]
    assert not [asked for asked in hub.asked if asked.endswith(".py")]
    again = hub_table("owner/script", config="other", revision=table.source.revision)
    assert again.first(9) == [{"q": "x"}]


def test_a_path_out_of_the_repository_is_no_data(hub_table: Open, tmp_path: Path) -> None:
    assert hub_table("owner/hostile").first(9) == [{"q": "one"}]
    assert not list(tmp_path.rglob("train-evil.jsonl"))


@pytest.mark.parametrize(
    ("name", "source", "problem"),
    [
        ("maths", {}, "names no data set: write hub:owner/name"),
        ("owner/../../etc", {}, "names no data set"),
        ("owner/a..b", {}, "names no data set"),
        ("owner/maths", {}, "`config` is '', and owner/maths needs one: choose easy or hard"),
        ("owner/maths", {"config": "odd"}, "`config` is 'odd', which owner/maths does not have: choose easy or hard"),
        ("owner/maths", {"config": "hard", "split": "test"}, "`split` is 'test', which owner/maths .*: choose train"),
        (
            "owner/maths",
            {"revision": "no"},
            "`revision` is 'no', which .* does not have: choose main or older, or a commit",
        ),
        ("owner/pictures", {}, "which has no .parquet, .jsonl or .csv files"),
        ("owner/closed", {}, "whose licence has to be accepted first: accept it on its Hub page and set HF_TOKEN"),
    ],
)
def test_what_is_not_there_is_one_sentence(hub_table: Open, name: str, source: dict[str, str], problem: str) -> None:
    with pytest.raises(InvalidInput, match=problem):
        hub_table(name, **source)


def test_an_unknown_data_set_is_not_found(hub_table: Open) -> None:
    with pytest.raises(NotFound, match="which the Hugging Face Hub does not have"):
        hub_table("owner/nothing")


@pytest.mark.parametrize(
    ("files", "card", "layout"),
    [
        (["train.csv", "dev.csv"], {}, {"default": {"train": ("train.csv",), "validation": ("dev.csv",)}}),
        (["a.parquet", "b.parquet", "c.csv"], {}, {"default": {"train": ("a.parquet", "b.parquet")}}),
        (["README.md", "dataset_infos.json"], {}, {}),
        (
            ["a/x.csv", "b/test.csv"],
            {"configs": [{"config_name": "a", "data_dir": "a"}, {"config_name": "b", "data_files": "b/*.csv"}]},
            {"a": {"train": ("a/x.csv",)}, "b": {"train": ("b/test.csv",)}},
        ),
        (
            ["d/1/x.jsonl", "d/2/y.jsonl"],
            {"configs": [{"config_name": "a", "data_files": {"train": "d/**/x.jsonl", "test": ["d/2/*"]}}]},
            {"a": {"train": ("d/1/x.jsonl",), "test": ("d/2/y.jsonl",)}},
        ),
        (["x.csv"], {"configs": "odd"}, {"default": {"train": ("x.csv",)}}),
        (
            ["x.csv"],
            {"configs": [{"config_name": 1}, None, {"config_name": "a", "data_files": 3}]},
            {"default": {"train": ("x.csv",)}},
        ),
        (
            ["x.csv"],
            {"configs": [{"config_name": "a", "data_files": "**/" * 60 + "y"}]},
            {"default": {"train": ("x.csv",)}},
        ),
    ],
)
def test_layouts(files: list[str], card: dict[str, Any], layout: dict[str, Any]) -> None:
    assert layout_of(files, card) == layout
