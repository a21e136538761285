"""Parquet: rows out of groups of any size, and values as JSON has them."""

import datetime
import decimal
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.errors import InvalidInput
from core.tasks.data import BadRow, Table
from core.tasks.data.parquet_pages import largest_value
from core.tasks.data.rows import MAX_ROW_BYTES

Open = Callable[..., Table]


@pytest.mark.parametrize("group", [7, 1000])
def test_rows_out_of_groups(opened: Open, base: Path, group: int) -> None:
    rows = [{"q": f"question {number}", "n": number} for number in range(1000)]
    pq.write_table(pa.Table.from_pylist(rows), base / "a.parquet", row_group_size=group)
    table = opened("a.parquet")
    assert [table.row(place) for place in (999, 0, 500)] == [rows[999], rows[0], rows[500]]
    assert list(table.scan()) == rows
    assert (len(table), table.where(11)) == (1000, "a.parquet, row 12")
    assert table.fingerprint == hashlib.sha256((base / "a.parquet").read_bytes()).hexdigest()


def test_one_large_group_is_copied_into_small_ones_once(opened: Open, base: Path, cache: Path) -> None:
    texts = [f"{number} " + "x" * 4000 for number in range(10_000)]  # 40 MB in one group
    categories = pa.array([str(number % 3) for number in range(10_000)]).dictionary_encode()
    pq.write_table(pa.table({"q": texts, "c": categories, "blob": [b"x"] * 10_000}), base / "a.parquet")
    table = opened("a.parquet")
    assert table.row(0) == {"q": texts[0], "c": "0"}
    assert not list(cache.glob("parquet/*"))  # the first rows did not wait for it
    progress: list[tuple[int, int]] = []
    table.build(lambda done, total: progress.append((done, total)))
    assert progress == sorted(progress)
    assert progress[-1] == (table.nbytes, table.nbytes)
    (copy,) = cache.glob("parquet/*")
    assert pq.ParquetFile(copy).metadata.num_row_groups >= 20
    assert [table.row(place)["q"] for place in (9999, 5000)] == [texts[9999], texts[5000]]
    assert [row["q"] for row in table.scan() if not isinstance(row, BadRow)] == texts
    written = copy.stat().st_mtime_ns
    again = opened("a.parquet")
    assert again.row(9999)["c"] == "0"
    assert copy.stat().st_mtime_ns == written


def test_a_damaged_copy_is_made_again(opened: Open, base: Path, cache: Path) -> None:
    texts = [f"question {number}" for number in range(9000)]
    pq.write_table(pa.table({"q": texts}), base / "a.parquet")
    opened("a.parquet").build()
    (copy,) = cache.glob("parquet/*")
    whole = copy.read_bytes()
    copy.write_bytes(whole[:-100])  # no file at all
    assert opened("a.parquet").row(8999) == {"q": texts[8999]}
    copy.write_bytes(whole[:4] + b"\xff" * 200 + whole[204:])  # a group that cannot be read
    table = opened("a.parquet")
    table.build()
    with pytest.raises(InvalidInput, match="whose copy in the cache is damaged"):
        table.row(1)
    assert opened("a.parquet").row(8999) == {"q": texts[8999]}


def test_values_are_what_json_has(opened: Open, base: Path) -> None:
    columns: dict[str, Any] = {
        "day": [datetime.date(2026, 1, 2)],
        "time": [datetime.datetime(2026, 1, 2, 3, 4)],
        "price": [decimal.Decimal("1.50")],
        "none": [float("nan")],
        "list": [[1, 2]],
        "chat": [[{"role": "user", "content": "hi"}]],
        "map": pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64())),
    }
    pq.write_table(pa.table(columns), base / "a.parquet")
    table = opened("a.parquet")
    assert json.loads(json.dumps(table.row(0), allow_nan=False)) == {
        "day": "2026-01-02",
        "time": "2026-01-02T03:04:00",
        "price": "1.50",
        "none": None,
        "list": [1, 2],
        "chat": [{"role": "user", "content": "hi"}],
        "map": [["a", 1]],
    }
    assert {column.name: column.types for column in table.columns}["chat"] == ("messages",)


def _text(*values: bytes) -> pa.Array:
    """Text of these bytes, whether they are UTF-8 or not."""
    return pa.array(values, pa.binary()).view(pa.string())


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (_text(b"fine", b"caf\xe9", b"fine"), "invalid-utf-8"),
        (_text(b"fine", b"a\0b", b"fine"), "nul"),
        (_text(b"fine", b"x" * (MAX_ROW_BYTES + 1), b"fine"), "oversized"),
        (pa.array([1.0, float("inf"), 2.0]), "wrong-type"),
        (pa.array([["a"], ["a\0"], ["b"]]), "nul"),
    ],
)
def test_a_bad_row_is_named_by_number(opened: Open, base: Path, value: pa.Array, kind: str) -> None:
    pq.write_table(pa.table({"q": value}), base / "a.parquet")
    table = opened("a.parquet")
    with pytest.raises(BadRow) as failure:
        table.row(1)
    assert (failure.value.kind, failure.value.where) == (kind, "a.parquet, row 2")
    assert [isinstance(row, BadRow) for row in table.scan()] == [False, True, False]


def test_a_damaged_page_is_said_with_its_row(opened: Open, base: Path) -> None:
    path = base / "a.parquet"
    texts = [f"{number:08}" for number in range(3000)]
    pq.write_table(pa.table({"q": texts}), path, row_group_size=2048, compression="none", use_dictionary=False)
    content = bytearray(path.read_bytes())
    start = content.index(b"00002048") - 40
    content[start : start + 40] = b"\xff" * 40
    path.write_bytes(content)
    table = opened("a.parquet")
    assert table.row(999) == {"q": texts[999]}
    for _ in range(2):
        with pytest.raises(InvalidInput, match="which cannot be read behind row 2,048"):
            table.row(1000)


def test_images_are_not_read(opened: Open, base: Path) -> None:
    picture = pa.array([{"bytes": b"x", "path": "a.png"}], pa.struct({"bytes": pa.binary(), "path": pa.string()}))
    described = {"info": {"features": {"picture": {"_type": "Image"}, "q": {"_type": "Value"}}}}
    schema = pa.schema({"q": pa.string(), "picture": picture.type}, metadata={"huggingface": json.dumps(described)})
    pq.write_table(pa.table([pa.array(["what?"]), picture], schema=schema), base / "a.parquet")
    table = opened("a.parquet")
    assert table.row(0) == {"q": "what?"}
    assert [(column.name, column.media) for column in table.columns] == [("q", ""), ("picture", "images")]
    assert table.notes == ("a.parquet: column picture holds images and is not read.",)


def test_what_is_no_parquet_is_refused(opened: Open, base: Path) -> None:
    pq.write_table(pa.table({"q": [b"bytes"]}), base / "d.parquet")
    with pytest.raises(InvalidInput, match="no column that a task can use"):
        opened("d.parquet")
    with pytest.raises(InvalidInput, match="cannot be read as Parquet"):
        opened("a.parquet", "question,answer\n" * 20)
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["q", "q"])
    pq.write_table(twice, base / "b.parquet")
    with pytest.raises(InvalidInput, match="the column 'q' twice"):
        opened("b.parquet")
    pq.write_table(pa.table({"q": pa.array([], pa.string())}), base / "c.parquet")
    with pytest.raises(InvalidInput, match="no rows"):
        opened("c.parquet")


@pytest.mark.parametrize("length", [3_000, 300_000])
def test_a_text_that_stands_once_and_is_meant_often_costs_no_memory(opened: Open, base: Path, length: int) -> None:
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * 2000, pa.int32()), pa.array(["x" * length]))
    pq.write_table(pa.table({"q": texts}), base / "a.parquet", store_schema=False)
    assert (base / "a.parquet").stat().st_size < 20_000
    before = pa.total_allocated_bytes()
    table = opened("a.parquet")
    assert largest_value(base / "a.parquet", pq.ParquetFile(base / "a.parquet").metadata) >= length
    assert sum(len(str(row["q"])) for row in table.scan() if not isinstance(row, BadRow)) == 2000 * length
    assert pa.total_allocated_bytes() - before < 16 * 2**20


def test_a_file_that_unpacks_to_far_more_is_refused(opened: Open, base: Path, cache: Path) -> None:
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * 4000, pa.int32()), pa.array(["x" * 300_000]))
    pq.write_table(pa.table({"q": texts}), base / "a.parquet", store_schema=False)
    table = opened("a.parquet")
    for _ in range(2):
        with pytest.raises(InvalidInput, match=r"which unpacks to more than 1\.0 GiB from"):
            table.build()
    assert not list(cache.glob("parquet/*"))


def test_without_pyarrow_text_is_read_and_parquet_says_what_to_install(base: Path, cache: Path) -> None:
    (base / "a.csv").write_text("q,a\n1,2\n")
    (base / "a.parquet").write_bytes(b"PAR1")
    program = """
import sys
from pathlib import Path
sys.modules["pyarrow"] = None  # as where it is not installed
from core.tasks.data import DataSource, open_table
for name in ("a.csv", "a.parquet"):
    try:
        print(open_table(DataSource(name), base=Path(sys.argv[1]), cache=Path(sys.argv[2])).row(0))
    except Exception as failure:
        print(failure)
"""
    ran = subprocess.run([sys.executable, "-c", program, base, cache], capture_output=True, text=True, check=True)
    row, refusal = ran.stdout.splitlines()
    assert row == "{'q': '1', 'a': '2'}"
    assert refusal.startswith(
        "`data` is 'a.parquet', a Parquet file, and pyarrow is not installed here: install Grouper"
    )
