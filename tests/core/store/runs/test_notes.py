"""What pages ask about many runs: the table, a run's history kept short, tags, notes, the archive, presets."""

import math
from dataclasses import replace

import pytest
from tests_support import a_step

from core.config import RunConfig, make_config
from core.errors import IllegalTransition, InvalidInput, NotFound
from core.processes import Process
from core.records.run import Run
from core.records.status import RunStatus
from core.records.step import Step
from core.store import Database
from core.store.rollouts.prompt_history import prompts_of_step, same_prompt
from core.store.rollouts.record import record_step
from core.store.runs import lifecycle, notes, queries
from core.store.runs.history import FIRST, POINTS, RECENT, read_history
from core.store.runs.table import RunFilter, facets, page_of_runs, runs_by_id

CONFIG = make_config({"model": "smollm2-135m", "recipe": "addition", "rank": 16, "steps": 40})


def add(database: Database, name: str, steps: int = 0, status: RunStatus | None = None, **values: object) -> Run:
    config: RunConfig = make_config({**CONFIG.model_dump(), **values})
    with database.writing() as connection:
        run = lifecycle.enqueue(connection, config, name)
        if status is not None:
            lifecycle.claim(connection, run.id, Process(1, 2.0, "here"))
            lifecycle.move(connection, run.id, RunStatus.RUNNING)
        for number in range(1, steps + 1):
            record_step(connection, run.id, replace(a_step(number, reward=number / 10), at=100.0 + 4 * number))
        if status is not None and status is not RunStatus.RUNNING:
            lifecycle.move(connection, run.id, status)
        return queries.get_run(connection, run.id)


def names(database: Database, **wanted: object) -> list[str]:
    with database.reading() as connection:
        return [row.run.name for row in page_of_runs(connection, RunFilter(**wanted)).rows]  # type: ignore[arg-type]


def test_runs_are_narrowed_sorted_and_paged(database: Database) -> None:
    done = add(database, "done_100%", 5, RunStatus.COMPLETED, rank=64)
    add(database, "working", 3, RunStatus.RUNNING, recipe="countdown")
    add(database, "waiting")
    with database.writing() as connection:
        notes.tag(connection, done.id, add=["baseline"])
    assert names(database) == ["waiting", "working", "done_100%"]
    assert names(database, state="active") == ["working"]
    assert names(database, state="queued") == ["waiting"]
    assert names(database, recipe="countdown") == ["working"]
    assert names(database, tag="baseline") == ["done_100%"]
    assert names(database, search="100%") == ["done_100%"]
    assert names(database, search="_") == ["done_100%"]
    assert names(database, search="base smollm") == ["done_100%"]
    assert names(database, sort="-reward") == ["done_100%", "working", "waiting"]
    assert names(database, sort="reward") == ["working", "done_100%", "waiting"]
    assert names(database, sort="-rank")[0] == "done_100%"
    with database.reading() as connection:
        second = page_of_runs(connection, RunFilter(page=2), size=2)
        beyond = page_of_runs(connection, RunFilter(page=9), size=2)
        known = facets(connection)
    assert (second.total, second.pages, [row.run.name for row in second.rows]) == (3, 2, ["done_100%"])
    assert beyond.page == 2
    assert known["tag"] == [("baseline", 1)]
    assert known["recipe"] == [("addition", 2), ("countdown", 1)]


def test_a_row_has_a_curve_a_speed_and_the_time_left(database: Database) -> None:
    add(database, "run", 30, RunStatus.RUNNING)
    with database.reading() as connection:
        (row,) = page_of_runs(connection, RunFilter()).rows
    assert (row.curve[0], row.curve[-1]) == (0.1, 3.0)
    assert len(row.curve) == 24
    assert row.tokens_per_second == 3.0
    assert row.seconds_left == 4 * 10


def history_steps(count: int, first: int = 1) -> list[Step]:
    return [replace(a_step(number), groups=()) for number in range(first, first + count)]


@pytest.mark.parametrize("count", [1, 60, 500, 501, 1300])
def test_a_history_is_short_and_brought_forward_to_the_same(database: Database, count: int) -> None:
    run = add(database, "run")
    with database.writing() as connection:
        for step in history_steps(count):
            record_step(connection, run.id, step)
    with database.reading() as connection:
        whole = read_history(connection, run.id)
    assert len(whole.drawn) <= POINTS + 2
    assert [step.number for step in whole.drawn][:: max(1, len(whole.drawn) - 1)] == ([1, count] if count > 1 else [1])
    assert [step.number for step in whole.recent][-3:] == list(range(max(1, count - 2), count + 1))
    assert len(whole.steps) <= POINTS + 2 + FIRST + RECENT
    assert (whole.count, whole.seconds["generate"]) == (count, 2.0 * count)
    with database.writing() as connection:
        for step in history_steps(30, first=count + 1):
            record_step(connection, run.id, step)
    with database.reading() as connection:
        forward, again = read_history(connection, run.id, whole), read_history(connection, run.id)
    assert forward == again


def test_a_resumed_runs_history_is_read_again(database: Database) -> None:
    run = add(database, "run", 5, RunStatus.COMPLETED)
    with database.reading() as connection:
        before = read_history(connection, run.id)
    with database.writing() as connection:
        lifecycle.resume(connection, run.id, "test", make_config({**CONFIG.model_dump(), "steps": 80}))
        other = replace(a_step(5, text="else", reward=9.0), groups=(replace(a_step(5).groups[0], completions=()),))
        record_step(connection, run.id, replace(other, metrics={"loss": 7.0}))
    with database.reading() as connection:
        after = read_history(connection, run.id, before)
    assert (before.steps[-1].metrics["loss"], after.steps[-1].metrics["loss"]) == (None, 7.0)
    assert not math.isnan(after.seconds["generate"])


def test_tags_notes_and_the_archive(database: Database) -> None:
    run = add(database, "run", 1, RunStatus.COMPLETED)
    working = add(database, "working", 1, RunStatus.RUNNING)
    with database.writing() as connection:
        assert notes.tag(connection, run.id, add=["  two  words ", "b"]) == ("b", "two words")
        assert notes.tag(connection, run.id, remove=["b"]) == ("two words",)
        notes.write_notes(connection, run.id, " seen \n")
        notes.archive(connection, run.id, True, "test")
        found = queries.get_run(connection, run.id)
        for refused in (lambda: notes.tag(connection, run.id, add=["x" * 41]),
                        lambda: notes.write_notes(connection, run.id, "x" * 20_001)):  # fmt: skip
            with pytest.raises(InvalidInput):
                refused()
        with pytest.raises(IllegalTransition):
            notes.archive(connection, working.id, True, "test")
    assert (found.tags, found.notes) == (("two words",), "seen")
    assert names(database) == ["working"]
    assert names(database, archived=True) == ["run"]


def test_presets_are_kept_by_name(database: Database) -> None:
    with database.writing() as connection:
        notes.save_preset(connection, "  my   way ", CONFIG)
        changed = make_config({**CONFIG.model_dump(), "rank": 32})
        notes.save_preset(connection, "my way", changed)
        assert notes.preset_names(connection) == ["my way"]
        assert notes.get_preset(connection, "my way").config == changed
        notes.delete_preset(connection, "my way")
        with pytest.raises(NotFound):
            notes.get_preset(connection, "my way")
        with pytest.raises(InvalidInput):
            notes.save_preset(connection, " ", CONFIG)


def test_the_same_prompt_is_found_in_the_nearest_step(database: Database) -> None:
    first, second = add(database, "one", 3, RunStatus.COMPLETED), add(database, "two", 8, RunStatus.COMPLETED)
    empty = add(database, "none")
    with database.reading() as connection:
        (prompt,) = prompts_of_step(connection, second.id, 8)
        found = same_prompt(connection, [second.id, first.id, empty.id], prompt, 8)
        known = runs_by_id(connection, [empty.id, "gone", first.id])
    assert [(run_id, step, group is not None) for run_id, step, group in found] == [
        (second.id, 8, True), (first.id, 3, True), (empty.id, 0, False),
    ]  # fmt: skip
    assert [run.id for run in known] == [empty.id, first.id]
