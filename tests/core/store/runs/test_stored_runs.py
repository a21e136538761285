"""Stored runs outlive versions: every shape ever written is read, cloned and resumed, and what cannot be read said."""

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from stored_support import NAMES, SHAPES, STORED, change, from_the_future, open_shape, state_of
from tests_support import a_step

from core import documents
from core.cli import render
from core.config import RunConfig, make_config
from core.config.upgrade import SCHEMA_VERSION, UPGRADES, as_stored, read_stored
from core.errors import InvalidInput, Unreadable
from core.jobs import submission, supervisor
from core.jobs.queue import next_start
from core.jobs.resume import resume_run
from core.processes import identify
from core.records.run import Run
from core.records.status import RunStatus
from core.settings import Settings
from core.store import Database
from core.store.rollouts.load import list_groups
from core.store.rollouts.record import record_step
from core.store.runs import lifecycle, notes, queries
from core.store.runs.table import SORTS, RunFilter, facets, page_of_runs
from core.store.schema import presets

CONFIG = make_config({"model": "smollm2-135m", "recipe": "addition", "rank": 16})
BROKEN: dict[str, dict[str, Any]] = {
    "no JSON": {"config": "model: smollm2"},
    "no object": {"config": "[1, 2]"},
    "an unknown field": {"config": as_stored(CONFIG)[:-1] + ', "tree_search": "mcts"}'},
    "a value that is no longer taken": {"config": as_stored(CONFIG).replace('"rank": 16', '"rank": 513')},
    "no version": {"config": json.dumps({**CONFIG.model_dump(mode="json"), "schema_version": "two"})},
    "a later form": {"config": json.dumps({**CONFIG.model_dump(mode="json"), "schema_version": SCHEMA_VERSION + 1})},
    "a process of another kind": {"process": '{"host": "node-7", "job": 123}'},
    "facts that are no JSON": {"facts": "{"},
    "tags that are no list": {"tags": '{"a": 1}'},
    "a state nobody knows": {"status": "hibernating"},
}


def by_name(database: Database) -> dict[str, Run]:
    with database.reading() as connection:
        return {run.name: run for run in queries.list_runs(connection)}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_is_read_listed_cloned_and_resumed(tmp_path: Path, shape: str) -> None:
    database = open_shape(tmp_path, shape)
    runs = by_name(database)
    assert {*runs} == NAMES
    assert not any(run.unreadable for run in runs.values())
    with database.reading() as connection:
        assert [run.name for run in queries.queued_runs(connection)] == ["waiting"]
        assert page_of_runs(connection, RunFilter(recipe="addition")).total == len(NAMES)
        groups = list_groups(connection, runs["finished"].id, 4, with_tokens=True)
        assert groups[0].completions[0].text == "<answer>9</answer>"
        document = documents.detail_json(queries.summarise(connection, runs["failed"].id), [])
    assert document["failure"]["kind"] == "engine"
    assert document["config"]["quantization"] == "nf4"
    clone = submission.config_like(database, runs["finished"].id, {"steps": 7})
    assert clone == make_config({**runs["finished"].config.model_dump(), "steps": 7})
    with database.writing() as connection:
        again = lifecycle.resume(connection, runs["stopped early"].id, "test")
    assert (again.status, again.attempt, again.config) == (RunStatus.QUEUED, 2, runs["stopped early"].config)
    database.close()


@pytest.mark.parametrize("shape", SHAPES)
def test_a_newer_run_stands_beside_older_ones(tmp_path: Path, shape: str) -> None:
    database = open_shape(tmp_path, shape)
    from_the_future(database, by_name(database)["waiting"].id)
    runs = by_name(database)
    assert [name for name, run in runs.items() if run.unreadable] == ["waiting"]
    with pytest.raises(Unreadable, match="form 99"):
        assert runs["waiting"].config
    with database.writing() as connection:
        lifecycle.resume(connection, runs["stopped early"].id, "test")
    with database.reading() as connection:
        waiting = queries.queued_runs(connection)
        chosen = next_start(waiting, set(), ["cpu"])
    assert len(waiting) == 2
    assert chosen is not None
    assert chosen[0].name == "stopped early"
    database.close()


def test_fields_that_came_later_have_the_value_of_what_runs_did_before(tmp_path: Path) -> None:
    database = open_shape(tmp_path, "0001")
    config = by_name(database)["finished"].config
    assert (config.evaluate_every, config.adapter_sync, config.device) == (0, "merged", "auto")
    database.close()


@pytest.fixture
def both(database: Database) -> tuple[Database, str, str]:
    """(database, a healthy waiting run, one to be broken that has a step)."""
    with database.writing() as connection:
        healthy = lifecycle.enqueue(connection, CONFIG, name="healthy").id
        broken = lifecycle.enqueue(connection, CONFIG, name="broken").id
        record_step(connection, broken, a_step(1))
        lifecycle.move(connection, broken, RunStatus.CANCELLED)
    return database, healthy, broken


@pytest.mark.parametrize("columns", BROKEN.values(), ids=BROKEN)
def test_a_row_that_cannot_be_read_is_shown_and_can_be_deleted(
    both: tuple[Database, str, str], settings: Settings, columns: dict[str, Any]
) -> None:
    database, healthy, broken = both
    change(database, broken, **columns)
    with database.reading() as connection:
        for sort in SORTS:
            assert {row.run.id for row in page_of_runs(connection, RunFilter(sort=sort)).rows} == {healthy, broken}
        assert page_of_runs(connection, RunFilter(tag="x")).total == 0
        assert facets(connection)["recipe"][0][0] == "addition"
        assert queries.measured_peaks(connection, 10) == []
        run = queries.get_run(connection, broken)
        summary = queries.summarise(connection, broken)
        assert len(list_groups(connection, broken, 1)[0].completions) == 2
    assert run.unreadable is not None
    assert run.unreadable.raw.items() >= columns.items()
    assert documents.detail_json(summary, [])["unreadable"]["stored"] == dict(run.unreadable.raw)
    assert "cannot be read" in render.detail_text(summary, [])
    assert "unreadable" in render.brief_text(documents.brief(run))
    for refused in (
        lambda: submission.config_like(database, broken, {}),
        lambda: resume_run(database, settings, broken, "test"),
    ):
        with pytest.raises(Unreadable):
            refused()
    submission.delete(database, settings, broken)
    assert {*by_name(database)} == {"healthy"}


def test_what_cannot_be_read_is_never_overwritten(both: tuple[Database, str, str]) -> None:
    database, _, broken = both
    change(database, broken, facts="{", tags="[")
    with database.writing() as connection:
        with pytest.raises(Unreadable):
            lifecycle.add_facts(connection, broken, device="cpu")
        with pytest.raises(Unreadable):
            notes.tag(connection, broken, add=["mine"])


def test_records_with_more_than_this_version_knows(both: tuple[Database, str, str]) -> None:
    database, healthy, _ = both
    plan = '{"capacity": 8, "phases": {"load": 1}, "ranks": 4}'
    sync = '{"way": "nccl", "reason": "eight GPUs", "buckets": 3}'
    change(database, healthy, plan=plan, sync=sync, failure='{"kind": "new"}')
    run = by_name(database)["healthy"]
    assert run.unreadable is None
    assert run.plan is not None
    assert run.plan.capacity == 8
    assert run.sync is not None
    assert run.sync.sentence == "nccl: eight GPUs"
    assert run.failure is None  # without a message there is nothing to say


def test_a_worker_that_nobody_can_look_up_and_that_fell_silent_is_lost(database: Database, settings: Settings) -> None:
    with database.writing() as connection:
        silent = lifecycle.enqueue(connection, CONFIG, name="silent").id
        lifecycle.claim(connection, silent, identify())
    change(database, silent, process='{"host": "node-7"}', heartbeat_at=time.time() - 3600)
    supervisor.tick(database, settings)
    run = by_name(database)["silent"]
    assert run.status is RunStatus.LOST
    assert run.failure is not None
    assert run.failure.kind == "worker-died"


def test_presets_are_upgraded_and_refused_by_name(database: Database) -> None:
    with database.writing() as connection:
        notes.save_preset(connection, "mine", CONFIG)
        assert notes.get_preset(connection, "mine").config == CONFIG
        connection.execute(sa.update(presets).values(config='{"schema_version": 99}'))
        assert notes.preset_names(connection) == ["mine"]
        with pytest.raises(InvalidInput, match="mine"):
            notes.get_preset(connection, "mine")
        notes.delete_preset(connection, "mine")


def test_a_config_comes_back_as_it_was_stored() -> None:
    config = make_config({"model": "m", "recipe": "addition", "beta": 0.04, "reward_weights": {"correctness": 2}})
    assert read_stored(as_stored(config)) == config
    assert json.loads(as_stored(config))["schema_version"] == SCHEMA_VERSION == len(UPGRADES) + 1


def test_no_field_changes_without_a_new_form() -> None:
    """Whoever changes RunConfig raises SCHEMA_VERSION, adds an upgrade and writes the new form down here."""
    properties = RunConfig.model_json_schema()["properties"]
    described = {name: {key: field[key] for key in field if key != "description"} for name, field in properties.items()}
    forms = json.loads((STORED / "forms.json").read_text(encoding="utf-8"))
    assert forms[str(SCHEMA_VERSION)] == json.loads(json.dumps(described))


def test_state_folders_of_every_shape_keep_a_copy_of_what_was_there(tmp_path: Path) -> None:
    settings = state_of(tmp_path, "0001")
    file = Path(settings.database_url.removeprefix("sqlite:///"))
    before = file.read_bytes()
    open_shape(tmp_path, "0001").close()
    (kept,) = tmp_path.glob("*.before-*")
    assert len(kept.read_bytes()) == len(before)


def test_runs_are_equal_however_often_they_are_read(both: tuple[Database, str, str]) -> None:
    database, _, broken = both
    change(database, broken, config="?")
    assert by_name(database) == by_name(database)
    assert replace(by_name(database)["broken"], name="x") != by_name(database)["broken"]
