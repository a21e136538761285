"""A thousand commands at random from two clients, and workers that come and go: no illegal state, no stuck run."""

import random
import threading
from itertools import pairwise

import pytest

from core.config import make_config
from core.errors import GrouperError
from core.processes import identify
from core.records.run import Failure
from core.records.status import TRANSITIONS, RunStatus
from core.settings import Settings
from core.store import Database, open_database
from core.store.runs import lifecycle, queries

CONFIG = make_config({"model": "smollm2-135m", "recipe": "addition"})
CLIENTS, COMMANDS, RUNS = 2, 500, 6
ENDS = (RunStatus.COMPLETED, RunStatus.STOPPED, RunStatus.FAILED, RunStatus.LOST)
MOVES = {status.value for status in RunStatus}


def client(url: str, ids: list[str], seed: int, refused: list[str]) -> None:
    database, chance = open_database(url), random.Random(seed)
    for _ in range(COMMANDS):
        run_id = chance.choice(ids)
        command = chance.choice(["stop", "resume", "next", "request"])
        try:
            with database.writing() as connection:
                if command == "stop":
                    lifecycle.request_stop(connection, run_id, f"client {seed}")
                elif command == "resume":
                    lifecycle.resume(connection, run_id, f"client {seed}")
                elif command == "next":
                    lifecycle.first_in_queue(connection, run_id)
                else:
                    same = lifecycle.enqueue(connection, CONFIG, request="one click")
                    assert same.id == ids[0]
        except GrouperError as error:
            refused.append(str(error))
    database.close()


def worker(url: str, seed: int, ending: threading.Event) -> None:
    """Claims what waits, trains a moment, and ends in any way there is."""
    database, chance = open_database(url), random.Random(seed)
    while not ending.is_set():
        with database.reading() as connection:
            waiting = queries.queued_runs(connection)
        if not waiting:
            continue
        run_id = waiting[0].id
        try:
            with database.writing() as connection:
                claimed = lifecycle.claim(connection, run_id, identify())
            if claimed:
                _train(database, run_id, chance)
        except GrouperError:
            continue
    database.close()


def _train(database: Database, run_id: str, chance: random.Random) -> None:
    with database.writing() as connection:
        if queries.get_run(connection, run_id).status is RunStatus.STARTING and chance.random() < 0.8:
            lifecycle.move(connection, run_id, RunStatus.RUNNING)
    with database.writing() as connection:
        now = queries.get_run(connection, run_id).status
        to = chance.choice([end for end in ENDS if end in TRANSITIONS[now]])
        failure = Failure("test", "It ended.", "Resume it.") if to in (RunStatus.FAILED, RunStatus.LOST) else None
        lifecycle.move(connection, run_id, to, failure=failure)


@pytest.mark.timeout(300)
def test_no_illegal_state_and_no_stuck_run(settings: Settings, database: Database) -> None:
    with database.writing() as connection:
        ids = [
            lifecycle.enqueue(connection, CONFIG, request="one click" if number == 0 else None).id
            for number in range(RUNS)
        ]
    ending, refused = threading.Event(), list[str]()
    url = settings.database_url
    workers = [threading.Thread(target=worker, args=(url, 100, ending))]
    clients = [threading.Thread(target=client, args=(url, ids, seed, refused)) for seed in range(CLIENTS)]
    for thread in (*workers, *clients):
        thread.start()
    for thread in clients:
        thread.join()
    ending.set()
    for thread in workers:
        thread.join()
    with database.reading() as connection:
        assert len(queries.list_runs(connection)) == RUNS
        for run_id in ids:
            path = [event.kind for event in queries.list_events(connection, run_id) if event.kind in MOVES]
            for before, after in pairwise(path):
                assert RunStatus(after) in TRANSITIONS[RunStatus(before)], path
    assert refused  # some commands come too late, and are told so
    with database.writing() as connection:
        for run_id in ids:  # wherever a run is left, it can be brought to an end and started again
            run = queries.get_run(connection, run_id)
            if not run.status.is_final:
                lifecycle.request_stop(connection, run_id, "test")
            if queries.get_run(connection, run_id).status is RunStatus.STOPPING:
                lifecycle.move(connection, run_id, RunStatus.STOPPED)
            assert lifecycle.resume(connection, run_id, "test").status is RunStatus.QUEUED
