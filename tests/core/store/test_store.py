"""The store: what goes in comes out, moves are legal or refused, two writers never lose a lock."""

import sqlite3
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from tests_support import a_step

from core.config import make_config
from core.config.upgrade import as_stored
from core.errors import IllegalTransition, InvalidInput, NotFound, StoreError
from core.processes import Process
from core.records.run import Failure, LoadPhase
from core.records.status import TRANSITIONS, RunStatus
from core.settings import Settings
from core.store import Database, columnar, open_database
from core.store.database import MIGRATIONS
from core.store.rollouts.load import list_groups
from core.store.rollouts.record import record_load_phase, record_step
from core.store.runs import lifecycle, queries
from core.store.schema import metadata
from core.store.search.filter import CompletionFilter
from core.store.search.query import list_completions, overview

CONFIG = make_config({"model": "smollm2-135m", "recipe": "addition", "rank": 16})
PROCESS = Process(pid=1, started=2.0, boot_id="here")


def queue(database: Database) -> str:
    with database.writing() as connection:
        return lifecycle.enqueue(connection, CONFIG).id


def test_a_step_comes_back_as_it_went_in(database: Database) -> None:
    run_id = queue(database)
    step = a_step(1)
    with database.writing() as connection:
        record_step(connection, run_id, step)
        record_load_phase(connection, run_id, LoadPhase("read weights", 1.5, 7))
    with database.reading() as connection:
        (group,) = list_groups(connection, run_id, 1, with_tokens=True)
        (stored,) = queries.list_steps(connection, run_id)
        summary = queries.summarise(connection, run_id)
    assert group.prompt_token_ids == (1, 2)
    assert group.fields == {"answer": 9}
    for kept, sent in zip(group.completions, step.groups[0].completions, strict=True):
        assert (kept.text, kept.token_ids, kept.logprobs, kept.scores) == (
            sent.text,
            sent.token_ids,
            sent.logprobs,
            sent.scores,
        )
        assert kept.extra == sent.extra
        assert (kept.reward, kept.advantage, kept.finish_reason) == (sent.reward, sent.advantage, "stop")
    assert stored.metrics["loss"] is None
    assert stored.metrics["entropy"] == 0.5
    assert summary.completions == 2
    assert summary.tokens_per_second == 3.0
    assert summary.phase_seconds == {"load: read weights": 1.5, "generate": 2.0}


@pytest.mark.parametrize(
    "text", ["", "a\x00b", "\ud800 lone", "\u202eright to left", "𝒳" * 1000, "\x1b[31m", "a\r\nb\t "]
)
def test_any_text_survives(database: Database, text: str) -> None:
    run_id = queue(database)
    with database.writing() as connection:
        record_step(connection, run_id, a_step(1, text))
    with database.reading() as connection:
        page, _ = list_completions(connection, run_id, CompletionFilter())
    assert page[0].text == text.encode("utf-8", "backslashreplace").decode("utf-8")


def test_unscored_is_not_zero(database: Database) -> None:
    run_id = queue(database)
    with database.writing() as connection:
        record_step(connection, run_id, a_step(1, reward=None))
    with database.reading() as connection:
        page, _ = list_completions(connection, run_id, CompletionFilter())
        assert queries.get_run(connection, run_id).reward is None
    assert page[0].reward is None


def test_completions_are_filtered_and_paged(database: Database) -> None:
    run_id = queue(database)
    with database.writing() as connection:
        for number in range(1, 6):
            record_step(connection, run_id, a_step(number, f"100% sure {number}", reward=number / 5))
    seen: list[int] = []
    cursor = ""
    with database.reading() as connection:
        while True:
            wanted = CompletionFilter(min_reward=0.4, search="100% sure", sort="reward", limit=3, after=cursor)
            page, cursor = list_completions(connection, run_id, wanted)
            seen += [completion.step for completion in page]
            if not cursor:
                break
        assert list_completions(connection, run_id, CompletionFilter(search="unsure"))[0] == []
        with pytest.raises(InvalidInput, match="sort"):
            list_completions(connection, run_id, CompletionFilter(sort="best"))
    assert seen == [5, 5, 4, 4, 3, 3, 2, 2]


@pytest.mark.parametrize("start", list(RunStatus))
def test_only_the_moves_of_the_table_are_possible(database: Database, start: RunStatus) -> None:
    for to in RunStatus:
        run_id = queue(database)
        with database.writing() as connection:
            lifecycle.update(connection, run_id, status=start.value)
        with database.writing() as connection:
            if to in TRANSITIONS[start]:
                assert lifecycle.move(connection, run_id, to) is start
            else:
                with pytest.raises(IllegalTransition):
                    lifecycle.move(connection, run_id, to)


def test_every_state_leads_to_an_end() -> None:
    for status in RunStatus:
        reached, todo = set(), [status]
        while todo:
            state = todo.pop()
            if state not in reached:
                reached.add(state)
                todo += TRANSITIONS[state]
        assert any(state.is_final for state in reached)


def test_one_request_is_one_run(database: Database) -> None:
    with database.writing() as connection:
        first = lifecycle.enqueue(connection, CONFIG, request="click")
        second = lifecycle.enqueue(connection, CONFIG, request="click")
        third = lifecycle.enqueue(connection, CONFIG)
    assert first.id == second.id != third.id


def test_only_one_worker_claims_a_run(database: Database) -> None:
    run_id = queue(database)
    with database.writing() as connection:
        assert lifecycle.claim(connection, run_id, PROCESS)
        assert not lifecycle.claim(connection, run_id, PROCESS)


def test_stopping(database: Database) -> None:
    waiting, active = queue(database), queue(database)
    with database.writing() as connection:
        assert lifecycle.request_stop(connection, waiting, "test") is RunStatus.CANCELLED
        lifecycle.claim(connection, active, PROCESS)
        lifecycle.move(connection, active, RunStatus.RUNNING)
        assert lifecycle.request_stop(connection, active, "test") is RunStatus.STOPPING
        assert lifecycle.request_stop(connection, active, "test") is RunStatus.STOPPING
        lifecycle.move(connection, active, RunStatus.STOPPED)
        with pytest.raises(IllegalTransition):
            lifecycle.request_stop(connection, active, "test")


def test_failure_and_events_are_kept(database: Database) -> None:
    run_id = queue(database)
    failure = Failure("engine", "It broke.", "Mend it.", "Traceback")
    with database.writing() as connection:
        lifecycle.move(connection, run_id, RunStatus.FAILED, failure=failure, who="worker")
    with database.reading() as connection:
        assert queries.get_run(connection, run_id).failure == failure
        assert [event.kind for event in queries.list_events(connection, run_id)] == ["queued", "failed"]


def test_deleting_leaves_nothing(database: Database) -> None:
    run_id = queue(database)
    with database.writing() as connection:
        record_step(connection, run_id, a_step(1))
        with pytest.raises(IllegalTransition):
            lifecycle.delete(connection, run_id)
        lifecycle.move(connection, run_id, RunStatus.CANCELLED)
        lifecycle.delete(connection, run_id)
    with database.reading() as connection:
        with pytest.raises(NotFound):
            queries.get_run(connection, run_id)
        for table in metadata.sorted_tables:
            assert connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one() == 0, table.name


def test_a_failed_write_leaves_no_trace(database: Database) -> None:
    run_id = queue(database)

    def fail_midway() -> None:
        with database.writing() as connection:
            record_step(connection, run_id, a_step(1))
            raise KeyError

    with pytest.raises(KeyError):
        fail_midway()
    with database.reading() as connection:
        assert queries.list_steps(connection, run_id) == []


def test_readers_cannot_write(database: Database) -> None:
    with pytest.raises(sa.exc.OperationalError, match="readonly"), database.reading() as connection:
        lifecycle.enqueue(connection, CONFIG)


def test_change_token_changes_when_runs_do(database: Database) -> None:
    tokens = []
    run_id = queue(database)
    for change in ("", "beat", "phase"):
        with database.writing() as connection:
            if change == "beat":
                lifecycle.beat(connection, run_id)
            if change == "phase":
                lifecycle.enter_phase(connection, run_id, "generate")
        with database.reading() as connection:
            tokens.append(queries.change_token(connection))
    assert tokens[0] == tokens[1] != tokens[2]


def test_two_writers_in_step(database: Database) -> None:
    run_ids = [queue(database), queue(database)]
    errors: list[BaseException] = []

    def write(run_id: str) -> None:
        try:
            for number in range(1, 101):
                with database.writing() as connection:
                    record_step(connection, run_id, a_step(number))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(run_id,)) for run_id in run_ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with database.reading() as connection:
        assert [len(queries.list_steps(connection, run_id)) for run_id in run_ids] == [100, 100]


def no_index(name: str | None, kind: str, parents: Any) -> bool:
    """All but the tables that SQLite keeps for the full-text indices."""
    return kind != "table" or "_search" not in (name or "")


def test_migrations_make_the_tables(database: Database) -> None:
    with database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "include_name": no_index})
        assert compare_metadata(context, metadata) == []


def test_wal_and_a_broken_file(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'new' / 'g.db'}")
    database.close()
    with sqlite3.connect(tmp_path / "new" / "g.db") as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()
    (tmp_path / "broken.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(StoreError, match="cannot be used"):
        open_database(f"sqlite:///{tmp_path / 'broken.db'}")


def test_a_resumed_run_waits_again_as_a_new_attempt(database: Database) -> None:
    run_id, other = queue(database), queue(database)
    with database.writing() as connection:
        lifecycle.claim(connection, run_id, PROCESS)
        record_load_phase(connection, run_id, LoadPhase("read weights", 1.5, 7))
        with pytest.raises(IllegalTransition, match="when it has ended"):
            lifecycle.resume(connection, run_id, "test")
        lifecycle.move(connection, run_id, RunStatus.LOST, failure=Failure("lost", "It ended.", "Resume it."))
        run = lifecycle.resume(connection, run_id, "test", CONFIG.model_copy(update={"steps": 99}))
        assert lifecycle.resume(connection, run_id, "test").attempt == 2  # asked twice, queued once
        assert (run.status, run.attempt, run.config.steps) == (RunStatus.QUEUED, 2, 99)
        assert (run.process, run.failure, run.ended_at) == (None, None, None)
        assert queries.list_load_phases(connection, run_id) == []
        assert [one.id for one in queries.queued_runs(connection)] == [other, run_id]
        lifecycle.first_in_queue(connection, run_id)
        assert [one.id for one in queries.queued_runs(connection)] == [run_id, other]
        assert lifecycle.claim(connection, run_id, PROCESS)
        with pytest.raises(IllegalTransition, match="does not wait"):
            lifecycle.first_in_queue(connection, run_id)


def test_a_step_sampled_again_is_recorded_once(database: Database) -> None:
    run_id = queue(database)
    with database.writing() as connection:
        assert record_step(connection, run_id, a_step(1))
        assert record_step(connection, run_id, a_step(2))
        assert record_step(connection, run_id, a_step(1))  # the same tokens: what is there stays
        tokens = queries.get_run(connection, run_id).tokens
        assert queries.summarise(connection, run_id).completions == 4
        changed = a_step(1)
        (group,) = changed.groups
        members = tuple(replace(one, token_ids=(9,), logprobs=(-1.0,), length=1) for one in group.completions)
        assert not record_step(connection, run_id, replace(changed, groups=(replace(group, completions=members),)))
        run = queries.get_run(connection, run_id)
        assert (run.step, run.tokens) == (2, tokens - 4)
        assert queries.summarise(connection, run_id).completions == 4
        (stored,) = list_groups(connection, run_id, 1, with_tokens=True)
    assert {one.token_ids for one in stored.completions} == {(9,)}


def test_a_copy_is_whole_while_others_write(database: Database, tmp_path: Path) -> None:
    run_id = queue(database)
    with database.writing() as connection:
        record_step(connection, run_id, a_step(1))
    database.back_up(tmp_path / "copies" / "copy.db")
    copy = open_database(f"sqlite:///{tmp_path / 'copies' / 'copy.db'}")
    with copy.reading() as connection:
        assert queries.summarise(connection, run_id).completions == 2
    copy.close()
    assert not [*tmp_path.rglob("*.partial")]


def test_an_old_database_is_copied_before_it_is_migrated(settings: Settings) -> None:
    settings.home.mkdir(parents=True)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    engine = sa.create_engine(settings.database_url)
    with engine.begin() as connection:  # as the first release left it
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        row = {"id": "old", "name": "old run", "status": "completed", "config": as_stored(CONFIG), "created_at": 5.0}
        connection.execute(
            sa.text(
                "INSERT INTO runs (id, name, status, config, created_at) VALUES "
                "(:id, :name, :status, :config, :created_at)"
            ),
            row,
        )
    engine.dispose()
    opened = open_database(settings.database_url)
    with opened.reading() as connection:
        run = queries.get_run(connection, "old")
        assert connection.execute(sa.text("SELECT queued_at FROM runs")).scalar_one() == 5.0
    opened.close()
    assert (run.attempt, run.facts, run.config) == (1, {}, CONFIG)
    (copy,) = settings.home.glob("grouper.db.before-*")
    with closing(sqlite3.connect(copy)) as old:
        assert old.execute("SELECT version_num FROM alembic_version").fetchone() == ("0001",)
        assert old.execute("SELECT id FROM runs").fetchone() == ("old",)


def test_completions_of_an_older_version_are_put_into_blocks(settings: Settings) -> None:
    settings.home.mkdir(parents=True)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    engine = sa.create_engine(settings.database_url)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0007")
        run = {"id": "old", "name": "old run", "status": "completed", "config": as_stored(CONFIG), "created_at": 5.0}
        connection.execute(sa.insert(sa.table("runs", *map(sa.column, run))), run)
        group = {"id": 1, "run": 1, "step": 1, "number": 0, "prompt": "", "prompt_token_ids": b"", "fields": "{}"}
        connection.execute(sa.insert(sa.table("groups", *map(sa.column, group))), group)
        row = {"run": 1, "step": 1, "group": 1, "finish_reason": "stop", "advantage": 0.0, "flat": False}
        rows = [{**row, "number": place, "length": place} for place in range(columnar.ROWS + 100)]
        connection.execute(sa.insert(sa.table("completions", *map(sa.column, rows[0]))), rows)
    engine.dispose()
    opened = open_database(settings.database_url)
    with opened.reading() as connection:
        assert columnar.sealed(connection, 1) == columnar.ROWS
        assert overview(connection, "old", CompletionFilter(flat=False)).count == columnar.ROWS + 100
    opened.close()


def test_what_is_committed_is_on_the_disk(database: Database) -> None:
    with database.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2  # FULL


def test_a_database_from_the_future_is_refused_in_a_sentence(settings: Settings) -> None:
    open_database(settings.database_url).close()
    path = settings.home / "grouper.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    with pytest.raises(StoreError, match="newer Grouper"):
        open_database(settings.database_url)
