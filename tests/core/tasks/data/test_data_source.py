"""Sources: files, folders, packed files, the cache, fingerprints, and one sentence for what is not there."""

import gzip
import hashlib
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import InvalidInput
from core.tasks.data import BadRow, DataSource, Table, open_table

Open = Callable[..., Table]
CSV = "q,a\none,1\n"


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("none.csv", None, "a file or folder that does not exist"),
        ("a.csv", b"", "an empty file"),
        ("a.xlsx", b"PK", "whose ending .xlsx is not known: use .jsonl, .csv or .parquet"),
        ("data", b"x", "which has no ending"),
        ("a.jsonl.gz", b"no gzip", "which is damaged or no gzip file"),
        ("a.parquet.gz", gzip.compress(b"PAR1"), "whose ending .gz is not known"),
    ],
)
def test_what_cannot_be_opened_is_one_sentence(opened: Open, name: str, content: bytes | None, problem: str) -> None:
    with pytest.raises(InvalidInput) as failure:
        opened(name, content)
    assert str(failure.value).startswith(f"`data` is '{name}', {problem}")
    assert str(failure.value).count(".\n") == 0


def test_what_is_no_file_is_refused(opened: Open, base: Path) -> None:
    os.mkfifo(base / "pipe.csv")
    with pytest.raises(InvalidInput, match="neither a file nor a folder"):
        opened("pipe.csv")
    (base / "link.csv").symlink_to(base / "nowhere.csv")
    with pytest.raises(InvalidInput, match="does not exist"):
        opened("link.csv")


@pytest.mark.parametrize(
    ("field", "problem"),
    [
        ("config", "is not on the Hub"),
        ("revision", "is not on the Hub"),
        ("split", "is a single file"),
    ],
)
def test_what_only_the_hub_has_is_refused_for_a_file(opened: Open, field: str, problem: str) -> None:
    with pytest.raises(InvalidInput, match=f"`{field}` is 'x', and a.csv {problem}"):
        opened("a.csv", CSV, **{field: "x"})


def test_a_relative_path_starts_from_the_tasks_folder(opened: Open, base: Path, cache: Path) -> None:
    assert opened("a.csv", CSV).row(0) == {"q": "one", "a": "1"}
    absolute = open_table(DataSource(str(base / "a.csv")), base=Path("/"), cache=cache)
    assert absolute.row(0) == {"q": "one", "a": "1"}


def test_a_folder_is_all_its_files_in_the_order_of_their_names(opened: Open, base: Path) -> None:
    (base / "parts").mkdir()
    for name, rows in (("part-1.csv", "a,q\n3,three\n"), ("part-0.csv", "q,a\none,1\ntwo,2\n"), ("README.md", "hello")):
        (base / "parts" / name).write_text(rows)
    table = opened("parts")
    assert [row["q"] for row in table.first(9)] == ["one", "two", "three"]
    assert (len(table), table.where(2), table.row(2)["a"]) == (3, "part-1.csv, line 2", "3")
    assert table.notes == ("parts: 1 other file not read.",)
    sums = [hashlib.sha256((base / "parts" / name).read_bytes()).hexdigest() for name in ("part-0.csv", "part-1.csv")]
    listing = f"{sums[0]}  part-0.csv\n{sums[1]}  part-1.csv\n"
    assert table.fingerprint == hashlib.sha256(listing.encode()).hexdigest()
    with pytest.raises(IndexError):
        table.row(3)


def test_a_folder_with_splits_asks_which(opened: Open, base: Path) -> None:
    (base / "parts").mkdir()
    for name in ("train-0.csv", "train-1.csv", "test.csv"):
        (base / "parts" / name).write_text(f"q,a\n{name},1\n")
    with pytest.raises(InvalidInput, match="`split` is '', and parts needs one: choose test or train"):
        opened("parts")
    with pytest.raises(InvalidInput, match="`split` is 'dev', which parts does not have: choose test or train"):
        opened("parts", split="dev")
    assert [row["q"] for row in opened("parts", split="train").first(9)] == ["train-0.csv", "train-1.csv"]


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({}, "a folder without data files"),
        ({"README.md": "x", ".hidden.csv": CSV}, "a folder without data files"),
        ({"a.csv": CSV, "b.jsonl": "{}"}, r"files of several kinds \(a.csv, b.jsonl\)"),
        ({"a.csv": CSV, "b.csv": "q,b\n1,2\n"}, "`column` is 'a', which b.csv does not have and a.csv has"),
        ({"a.csv": CSV, "b.csv": ""}, "`data` is 'b.csv', an empty file"),
    ],
)
def test_a_folder_that_cannot_be_one_table_is_refused(
    opened: Open, base: Path, files: dict[str, str], problem: str
) -> None:
    (base / "parts").mkdir()
    for name, content in files.items():
        (base / "parts" / name).write_text(content)
    with pytest.raises(InvalidInput, match=problem):
        opened("parts")


def test_packed_text_is_read_like_the_text(opened: Open) -> None:
    plain, packed = opened("a.csv", CSV), opened("a.csv.gz", gzip.compress(CSV.encode()))
    assert packed.first(9) == plain.first(9)
    assert packed.where(0) == "a.csv.gz, line 2"
    assert packed.fingerprint == plain.fingerprint


def test_a_packed_file_that_unpacks_to_far_more_is_refused(opened: Open, cache: Path) -> None:
    with pytest.raises(InvalidInput, match="which unpacks to more than 10 MiB"):
        opened("a.jsonl.gz", gzip.compress(b"0" * 50 * 2**20))
    with pytest.raises(InvalidInput, match="damaged"):
        opened("b.jsonl.gz", gzip.compress(os.urandom(10_000))[:-100])
    assert not list(cache.glob("unpacked/*"))


@pytest.mark.parametrize(("name", "content"), [("a.csv", "q,a\n" + "one,1\n" * 9), ("a.jsonl", '{"q": "one"}\n' * 9)])
def test_a_second_opening_reads_the_index_and_a_damaged_one_is_made_again(
    opened: Open, cache: Path, name: str, content: str
) -> None:
    first = opened(name, content)
    assert not first.complete or len(first) == 9
    rows, fingerprint = list(first.scan()), first.fingerprint
    assert fingerprint == hashlib.sha256(content.encode()).hexdigest()
    again = opened(name)
    assert again.complete
    assert (list(again.scan()), again.fingerprint, again.where(8)) == (rows, fingerprint, first.where(8))
    (kept,) = cache.glob("index/*")
    whole = kept.read_bytes()
    for damaged in (b"", b"{}\n", whole[:-8], whole + b"x", b"null\n", b"\xff\n"):
        kept.write_bytes(damaged)
        assert list(opened(name).scan()) == rows
        assert kept.read_bytes() == whole


def test_other_content_is_another_index(opened: Open, base: Path) -> None:
    opened("a.csv", CSV).build()
    before = (base / "a.csv").stat()
    table = opened("a.csv", "q,a\ntwo,2\n")  # of the same size
    os.utime(base / "a.csv", ns=(before.st_atime_ns, before.st_mtime_ns))
    table = opened("a.csv")
    assert table.row(0) == {"q": "two", "a": "2"}
    assert table.fingerprint == hashlib.sha256(b"q,a\ntwo,2\n").hexdigest()


def test_a_file_that_changes_under_the_table_is_noticed(opened: Open, base: Path) -> None:
    table = opened("a.csv", CSV)
    (base / "a.csv").write_text("q,a\nsomething else,1\n")
    with pytest.raises(InvalidInput, match="which has changed since it was opened"):
        table.row(0)
    (base / "a.csv").unlink()
    with pytest.raises(InvalidInput, match="which has changed since it was opened"):
        table.row(0)


def test_a_cache_that_cannot_be_written_costs_time_and_nothing_else(base: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (base / "a.csv").write_text(CSV)
    table = open_table(DataSource("a.csv"), base=base, cache=tmp_path / "file")
    assert (len(table), table.row(0)) == (1, {"q": "one", "a": "1"})


def test_progress_of_the_index_ends_with_all_bytes(opened: Open) -> None:
    table, progress = opened("a.jsonl", '{"q": "a line"}\n' * 200_000), []
    assert not table.complete
    assert 0 < table.known < 200_000
    table.build(lambda done, of: progress.append((done, of)))
    assert len(progress) > 3
    assert progress == sorted(progress)
    assert progress[-1] == (table.nbytes, table.nbytes)


def test_threads_share_a_table(opened: Open) -> None:
    table = opened("a.csv", "q,a\n" + "".join(f"{number},{'x' * 50}\n" for number in range(60_000)))
    failures: list[object] = []

    def read() -> None:
        for index in range(0, 60_000, 997):
            row = table.row(index)
            if isinstance(row, BadRow) or row["q"] != str(index) or not table.where(index).endswith(f" {index + 2}"):
                failures.append(row)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in (*threads, threading.Thread(target=table.build)):
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(table) == 60_000
