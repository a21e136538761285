"""Exports read back by others: the same rows, the same types, whatever the text."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests_support import a_step

from core.config import make_config
from core.errors import InvalidInput
from core.export import COLUMNS, export, formats, row_of
from core.jobs.export_run import export_run
from core.records.status import RunStatus
from core.settings import Settings, load_settings
from core.store import Database, open_database
from core.store.rollouts import feedback
from core.store.rollouts.record import record_step
from core.store.runs import lifecycle
from core.store.search.filter import CompletionFilter
from core.store.search.query import list_completions, score_functions

TEXTS = [
    '"quoted", with comma',
    "two\nlines\r\n",
    "tab\t",
    "מרחב 👩‍👩‍👧",
    "<b>",
    "=SUM(A1)",
    "",
    "NA",
    "null",
    "1.0",
    "\x1b[31m",
]
STEPS = 600  # more than one batch of rows


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return load_settings({"GROUPER_HOME": str(tmp_path_factory.mktemp("export"))})


@pytest.fixture(scope="module")
def database(settings: Settings) -> Iterator[Database]:
    opened = open_database(settings.database_url)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def run_id(database: Database) -> str:
    config = make_config({"model": "smollm2-135m", "recipe": "addition"})
    chance = random.Random(0)
    with database.writing() as connection:
        run = lifecycle.enqueue(connection, config).id
        for number in range(1, STEPS + 1):
            reward = chance.choice((0.0, 1 / 3, 1.0, None))
            record_step(connection, run, a_step(number, TEXTS[number % len(TEXTS)], reward=reward))
        feedback.flag(connection, 7, True)
        feedback.set_tags(connection, 7, ["b", "a"])
        lifecycle.move(connection, run, RunStatus.CANCELLED)
    return run


@pytest.fixture(scope="module")
def expected(database: Database, run_id: str) -> list[dict[str, Any]]:
    """The rows as the store has them."""
    with database.reading() as connection:
        names = score_functions(connection, run_id)
        columns = {**COLUMNS, **{f"score/{name}": float for name in names}}
        wanted, rows = CompletionFilter(sort="oldest", limit=1000), []
        while True:
            page, after = list_completions(connection, run_id, wanted)
            rows += [row_of(one, columns) for one in page]
            if not after:
                return rows
            wanted = CompletionFilter(sort="oldest", limit=1000, after=after)


@pytest.fixture
def folder(database: Database, settings: Settings, run_id: str, tmp_path: Path) -> Path:
    written = export_run(database, settings, run_id, tmp_path / "taken")
    assert {"run.json", "steps.jsonl", *(f"completions.{form}" for form in formats())} <= set(written)
    return tmp_path / "taken"


def test_a_run_is_a_folder(folder: Path, expected: list[dict[str, Any]]) -> None:
    assert len(expected) == 2 * STEPS
    assert json.loads((folder / "run.json").read_text(encoding="utf-8"))["config"]["recipe"] == "addition"
    assert len((folder / "steps.jsonl").read_text(encoding="utf-8").splitlines()) == STEPS
    lines = (folder / "completions.jsonl").read_text(encoding="utf-8").split("\n")
    assert [json.loads(line) for line in lines if line] == expected


KINDS = {int: ("int64", "BIGINT"), float: ("float64", "DOUBLE"), bool: ("bool", "BOOLEAN"), str: ("string", "VARCHAR")}


def types_of(expected: list[dict[str, Any]], form: str = "parquet") -> dict[str, type]:
    """Of every column; where the file itself names none, of those that have a value."""
    known = {name for row in expected for name, value in row.items() if value is not None or form == "parquet"}
    return {name: COLUMNS.get(name, float) for name in expected[0] if name in known}


def test_pandas_reads_the_same(folder: Path, expected: list[dict[str, Any]]) -> None:
    pandas = pytest.importorskip("pandas")
    unknown = {name: [""] for name, kind in types_of(expected).items() if kind is float}
    csv = {"keep_default_na": False, "na_values": unknown}
    frames = {
        "jsonl": pandas.read_json(folder / "completions.jsonl", lines=True, dtype=False),
        "csv": pandas.read_csv(folder / "completions.csv", **csv),
    }
    if "parquet" in formats():
        frames["parquet"] = pandas.read_parquet(folder / "completions.parquet")
    for form, frame in frames.items():
        for name, kind in types_of(expected, form).items():
            texts = kind is str and pandas.api.types.is_string_dtype(frame[name].dtype)
            assert texts or frame[name].dtype == KINDS[kind][0], (form, name)
        rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
        for row, wanted in zip(rows, expected, strict=True):  # its parsers of text round the last digit
            assert row == {
                name: pytest.approx(value, abs=1e-12) if isinstance(value, float) else value
                for name, value in wanted.items()
            }, form


def test_duckdb_reads_the_same(folder: Path, expected: list[dict[str, Any]]) -> None:
    duckdb = pytest.importorskip("duckdb")
    for form in ("jsonl", "csv", "parquet"):
        if form in formats():
            read = {"jsonl": "read_json_auto", "csv": "read_csv_auto", "parquet": "read_parquet"}[form]
            options = ", allow_quoted_nulls=false" if form == "csv" else ""
            found = duckdb.sql(f"SELECT * FROM {read}('{folder}/completions.{form}'{options}) ORDER BY id")
            kinds = dict(zip(found.columns, map(str, found.types), strict=True))
            for name, kind in types_of(expected, form).items():
                assert kinds[name] == KINDS[kind][1], (form, name)
            assert [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()] == expected, form


def test_datasets_reads_the_same(folder: Path, expected: list[dict[str, Any]], tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    unknown = {name: [""] for name, kind in types_of(expected).items() if kind is float}
    options = {"csv": {"keep_default_na": False, "na_values": unknown}}
    for form, kind in (("jsonl", "json"), ("csv", "csv"), ("parquet", "parquet")):
        if form in formats():
            files = str(folder / f"completions.{form}")
            rows = datasets.load_dataset(
                kind, data_files=files, split="train", cache_dir=str(tmp_path / "cache"), **options.get(form, {})
            )
            for name, each in types_of(expected, form).items():
                assert rows.features[name].dtype.removeprefix("large_") == KINDS[each][0], (form, name)
            assert rows.to_list() == expected, form


def test_a_question_narrows_an_export(database: Database, run_id: str) -> None:
    lines = b"".join(export(database, run_id, CompletionFilter(min_reward=0.5, max_reward=1.0), "jsonl")).splitlines()
    assert lines
    assert {json.loads(line)["reward"] for line in lines} == {1.0}


def test_what_cannot_be_exported_is_refused(
    database: Database, settings: Settings, run_id: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInput, match="format"):
        export(database, run_id, CompletionFilter(), "xlsx")
    with pytest.raises(InvalidInput, match="run"):
        export(database, "nosuchrun", CompletionFilter(), "csv")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(InvalidInput, match="there already"):
        export_run(database, settings, run_id, tmp_path / "full")
