"""What the record refuses, and how it waits."""

import errno
import math
import sqlite3
import threading
import time
from contextlib import closing

import pytest

from core.config import make_config
from core.errors import RunError
from core.records.step import Step
from core.store import Database
from core.store.runs import lifecycle, queries
from core.worker.heartbeat import Heartbeat
from core.worker.recorder import refuse_nonsense
from core.worker.retry import RetryingWriter

CONFIG = make_config({"model": "smollm2-135m", "recipe": "addition"})


@pytest.mark.parametrize("metrics", [{"loss": math.nan}, {"loss": 0.1, "grad_norm": math.inf}])
def test_an_update_that_is_no_number_ends_the_run(metrics: dict[str, float]) -> None:
    with pytest.raises(RunError, match="of step 7 is") as caught:
        refuse_nonsense(Step(7, metrics, {}, {}))
    assert caught.value.kind == "diverged"


def test_numbers_and_missing_numbers_pass() -> None:
    refuse_nonsense(Step(7, {"loss": -0.1, "grad_norm": 0.0}, {}, {}))
    refuse_nonsense(Step(7, {"entropy": math.nan}, {}, {}))


@pytest.fixture
def patient(database: Database) -> tuple[RetryingWriter, str]:
    with database.writing() as connection:
        run = lifecycle.enqueue(connection, CONFIG)
    return RetryingWriter(database, run.id, Heartbeat(database, run.id)), run.id


def test_what_passes_is_waited_for_and_told(database: Database, patient: tuple[RetryingWriter, str]) -> None:
    store, run_id = patient
    attempts = []

    def attempt() -> str:
        attempts.append(time.monotonic())
        if len(attempts) == 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        return "written"

    assert store.until_done(attempt) == "written"
    with database.reading() as connection:
        (event,) = [one for one in queries.list_events(connection, run_id) if one.kind == "warning"]
    assert "Waited" in event.message
    assert "No space left" in event.message


def test_what_does_not_pass_is_raised_at_once(patient: tuple[RetryingWriter, str]) -> None:
    store, _ = patient
    with pytest.raises(KeyError):
        store.until_done(lambda: {}["missing"])
    with pytest.raises(OSError, match="denied"):
        store.until_done(lambda: (_ for _ in ()).throw(OSError(errno.EACCES, "denied")))


@pytest.mark.long
@pytest.mark.timeout(120)
def test_a_lock_held_longer_than_the_busy_timeout_is_waited_out(
    database: Database, patient: tuple[RetryingWriter, str]
) -> None:
    store, run_id = patient

    def hold() -> None:
        with closing(sqlite3.connect(database.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            locked.set()
            time.sleep(32)
            other.execute("ROLLBACK")

    locked = threading.Event()
    holder = threading.Thread(target=hold)
    holder.start()
    locked.wait()
    store.write(lambda connection: lifecycle.add_facts(connection, run_id, written=True))
    holder.join()
    with database.reading() as connection:
        assert queries.get_run(connection, run_id).facts["written"] is True
        assert any("Waited" in event.message for event in queries.list_events(connection, run_id))
