"""docs/storage.md holds: its tables are those of the schema; its queries and its code run on a real database."""

import dataclasses
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from tests_support import a_step

from core.config import RunConfig, make_config
from core.insights.reward_hacking import KINDS
from core.processes import Process
from core.records.evaluation import EvaluationPrompt, Reply
from core.records.rollout import RewardScore
from core.records.run import Checkpoint, Failure, LoadPhase, PlannedMemory, SyncChoice
from core.records.status import RunStatus
from core.records.step import Step
from core.settings import PROJECT, Settings, load_settings
from core.store import Database, open_database
from core.store.rollouts import feedback
from core.store.rollouts.evaluation import record_answers
from core.store.rollouts.record import record_checkpoint, record_load_phase, record_step
from core.store.runs import lifecycle
from core.store.schema import metadata
from core.store.token_codec import encode_floats, encode_ids

PAGE = (PROJECT / "docs" / "storage.md").read_text(encoding="utf-8")
QUERIES = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
# Tables that are the store's own business; the page names them and promises nothing.
INTERNAL = {"blocks", "functions", "presets"}
TYPES = {sa.Integer: "integer", sa.Float: "real", sa.Text: "text", sa.LargeBinary: "blob", sa.Boolean: "integer"}


def table_cells(text: str) -> list[list[str]]:
    """The cells of the rows of a Markdown table, without its head."""
    rows = [line.strip("|").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in row] for row in rows[1:]]


def described_tables() -> dict[str, dict[str, str]]:
    """Table -> column -> type, as the page has them under headings of the third rank."""
    tables = {}
    for section in re.split(r"^### ", PAGE, flags=re.MULTILINE)[1:]:
        name, _, text = section.partition("\n")
        text = re.split(r"^## ", text, flags=re.MULTILINE)[0]
        tables[name.strip()] = {
            column: kind for cell, kind, _ in table_cells(text) for column in re.findall(r"`([^`]+)`", cell)
        }
    return tables


DESCRIBED = described_tables()


def column_type(column: sa.Column[Any]) -> str:
    kind = next(name for kind, name in TYPES.items() if isinstance(column.type, kind))
    return f"{kind} or NULL" if column.nullable else kind


def test_every_table_is_described_or_internal() -> None:
    assert set(DESCRIBED) | INTERNAL == set(metadata.tables)
    assert all(f"`{name}`" in PAGE for name in INTERNAL)


@pytest.mark.parametrize("name", DESCRIBED)
def test_a_described_table_is_that_of_the_schema(name: str) -> None:
    columns = metadata.tables[name].columns
    assert DESCRIBED[name] == {column.name: column_type(column) for column in columns}


def named_in(table: str, column: str) -> set[str]:
    """What the row of this column sets as code, besides the column's own name."""
    section = PAGE.split(f"### {table}\n")[1].split("###")[0]
    row = next(line for line in section.splitlines() if line.startswith(f"| `{column}` |"))
    return set(re.findall(r"`([^`]+)`", row)) - {column}


def test_statuses_and_kinds_of_evidence_are_all_named() -> None:
    assert named_in("runs", "status") == {status.value for status in RunStatus}
    assert named_in("evidence", "kind") == set(KINDS)


@pytest.mark.parametrize(
    ("column", "kind"),
    [("plan", PlannedMemory), ("sync", SyncChoice), ("process", Process), ("failure", Failure)],
)
def test_keys_of_json_columns_are_those_that_are_stored(column: str, kind: type) -> None:
    keys = next(cells[1] for cells in table_cells(PAGE) if cells[0] == f"`runs.{column}`")
    named = set(re.findall(r"`([^`]+)`", keys.split(":")[0]))
    assert named == {field.name for field in dataclasses.fields(kind)}


@pytest.mark.parametrize(("kind", "packed", "items"), [
    ("ids", encode_ids([5, 6, 7]), (5, 6, 7)),
    ("ids", encode_ids([5, 70000]), (5, 70000)),
    ("ids", encode_ids([]), ()),
    ("ids", b"\x05\0\0\0\x06\0\0\0", (5, 6)),
    ("floats", encode_floats([-0.5, -8.0]), (-0.5, -8.0)),
])  # fmt: skip
def test_packed_arrays_are_read_by_the_pages_own_code(kind: str, packed: bytes, items: tuple[float, ...]) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    assert names["unpack"](packed, kind) == items


def step_of(number: int, prompt: str, reward: float | None) -> Step:
    step = a_step(number, reward=reward)
    return dataclasses.replace(step, groups=tuple(dataclasses.replace(each, prompt=prompt) for each in step.groups))


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return load_settings({"GROUPER_HOME": str(tmp_path_factory.mktemp("storage"))})


@pytest.fixture(scope="module")
def database(settings: Settings) -> Iterator[Database]:
    opened = open_database(settings.database_url)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def run_id(database: Database) -> str:
    """A run from launch to its end, with something in every table that the page describes."""
    config: RunConfig = make_config({"model": "smollm2-135m", "recipe": "addition", "rank": 16})
    with database.writing() as connection:
        run = lifecycle.enqueue(connection, config, plan=PlannedMemory(10, {"rollout": 7}))
        lifecycle.claim(connection, run.id, Process(1, 2.0, "here"))
        record_load_phase(connection, run.id, LoadPhase("read weights", 1.5, 7))
        lifecycle.choose_sync(connection, run.id, SyncChoice("merged"))
        lifecycle.add_facts(connection, run.id, packed=True)
        lifecycle.move(connection, run.id, RunStatus.RUNNING, who="worker")
        for number, prompt, reward in ((1, "What is 6+3?", 0.0), (2, "What is 2+2?", 1.0), (3, "What is 6+3?", 0.2)):
            record_step(connection, run.id, step_of(number, prompt, reward))
        reply = Reply(0, "4", "stop", 1, 1.0, (RewardScore("correctness", 1.0),))
        record_answers(connection, run.id, [EvaluationPrompt(0, "What is 2+2?", {"answer": 4}, (reply,))])
        record_checkpoint(connection, run.id, Checkpoint(3, "step-000003", "hash", 0.2, 9.0), forget=())
        feedback.flag(connection, 1, True)
        feedback.set_tags(connection, 1, ["odd"])
        lifecycle.move(connection, run.id, RunStatus.FAILED, failure=Failure("disk-full", "Full.", "Free some."))
    # Another run, of which no query about the first may show anything.
    with database.writing() as connection:
        other = lifecycle.enqueue(connection, config)
        record_step(connection, other.id, step_of(1, "Whose is this?", 0.5))
    return run.id


def ask(settings: Settings, query: str, **values: Any) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Columns and rows, through a connection opened as the page advises."""
    path = Path(settings.home) / "grouper.db"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        cursor = connection.execute(query, values)
        return [column[0] for column in cursor.description], cursor.fetchall()


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.splitlines()[0].removeprefix("-- "))
def test_a_query_gives_rows_with_the_columns_it_names(query: str, settings: Settings, run_id: str) -> None:
    columns, rows = ask(settings, query, run=run_id)
    assert columns == query.splitlines()[0].removeprefix("-- ").split(", ")
    assert rows
    assert not any("Whose is this?" in row for row in rows)
    assert all(
        value is not None for row in rows for name, value in zip(columns, row, strict=True) if name != "mean_score"
    )


def test_there_are_five_queries_and_their_answers_are_right(settings: Settings, run_id: str) -> None:
    rewards, best, unsolved, times, scores = (ask(settings, query, run=run_id)[1] for query in QUERIES)
    assert [row[:3] for row in rewards] == [(1, 0.0, 1.0), (2, 1.0, 1.0), (3, 0.2, 1.0)]
    assert [row[2] for row in best] == [1.0, 1.0, 0.2, 0.2, 0.0, 0.0]
    assert unsolved == [("What is 6+3?", 2, 4, 0.2)]
    assert [(phase, seconds) for phase, seconds, _ in times] == [("generate", 6.0), ("load: read weights", 1.5)]
    assert sum(share for _, _, share in times) == pytest.approx(1.0)
    assert scores[:2] == [(1, "correctness", 0.0, 0), (1, "format", None, 2)]


def test_no_described_table_is_empty_in_the_test(settings: Settings, run_id: str) -> None:
    """Or the queries would be tried on less than a run leaves."""
    assert [name for name in DESCRIBED if ask(settings, f'SELECT count(*) FROM "{name}"')[1] == [(0,)]] == []
