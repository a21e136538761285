"""The store that the pages are measured over: many long runs that are done, and one at work."""

import json
import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from core.config import make_config
from core.processes import identify
from core.records.rollout import Completion, Group, RewardScore
from core.records.run import Run
from core.records.status import RunStatus
from core.records.step import Step
from core.store import Database
from core.store.rollouts.record import record_step
from core.store.runs import lifecycle

COPIED = "SELECT ?, number, at, reward * ?, tokens, metrics, seconds, memory FROM steps WHERE run = ?"


def fill(database: Database, run_count: int, step_count: int) -> list[str]:
    """The ids of `run_count` - 1 runs that are done, newest last; those that the store has already are kept."""
    with closing(sqlite3.connect(database.path)) as raw:
        ids = [name for (name,) in raw.execute("SELECT id FROM runs WHERE step = ? ORDER BY key", (step_count,))]
        for place in range(len(ids), run_count - 1):
            run, key = _started(database, place, step_count)
            with database.writing() as connection:
                lifecycle.move(connection, run.id, RunStatus.COMPLETED)
            _write_steps(raw, key, step_count, 0.5 + 0.5 * place / run_count)
            ids.append(run.id)
    return ids[: run_count - 1]


@contextmanager
def at_work(database: Database, step_count: int) -> Iterator[str]:
    """A run that this process works on, half done, for as long as the block lasts."""
    run, key = _started(database, 0, 2 * step_count)
    with closing(sqlite3.connect(database.path)) as raw:
        _write_steps(raw, key, step_count, 0.5)
        with database.writing() as connection:
            record_step(connection, run.id, a_step(step_count + 1))
        yield run.id
        with database.writing() as connection:
            lifecycle.move(connection, run.id, RunStatus.COMPLETED)
            lifecycle.delete(connection, run.id)


def next_step(database: Database, run_id: str) -> None:
    with database.writing() as connection:
        number = connection.exec_driver_sql("SELECT step FROM runs WHERE id = ?", (run_id,)).scalar_one()
        record_step(connection, run_id, a_step(number + 1))


def _started(database: Database, place: int, steps: int) -> tuple[Run, int]:
    """A run that has begun, and its key."""
    values = {"rank": (16, 32, 64)[place % 3], "steps": steps, "seed": place}
    config = make_config({"model": "smollm2-135m", "recipe": ("addition", "countdown")[place % 2], **values})
    with database.writing() as connection:
        run = lifecycle.enqueue(connection, config, f"run {place}")
        lifecycle.claim(connection, run.id, identify())
        lifecycle.move(connection, run.id, RunStatus.RUNNING)
        key = connection.exec_driver_sql("SELECT key FROM runs WHERE id = ?", (run.id,)).scalar_one()
    return run, key


def _write_steps(raw: sqlite3.Connection, key: int, step_count: int, scale: float) -> None:
    """As many steps as are wanted: made for the first run, copied for the others, which is faster."""
    model = raw.execute("SELECT key FROM runs WHERE step = ? LIMIT 1", (step_count,)).fetchone()
    if model:
        raw.execute(f"INSERT INTO steps {COPIED}", (key, scale, *model))
    else:
        raw.executemany("INSERT INTO steps VALUES (?, ?, ?, ?, ?, ?, ?, ?)", _rows(key, step_count))
    values = (step_count, step_count * 270, key)
    raw.execute("UPDATE runs SET step = ?, reward = 0.9, tokens = ? WHERE key = ?", values)
    raw.commit()


def _rows(key: int, step_count: int) -> Iterator[tuple[Any, ...]]:
    for number in range(1, step_count + 1):
        step = a_step(number, with_groups=False)
        texts = (json.dumps(dict(part)) for part in (step.metrics, step.seconds, step.memory))
        yield (key, number, time.time() - (10_000 - number) * 4, step.metrics["reward"], 270, *texts)


def a_step(number: int, with_groups: bool = True) -> Step:
    """A step with as many figures as a real one has."""
    chance = random.Random(number)
    names = ("loss", "grad_norm", "learning_rate", "entropy", "reward", "reward_std", "frac_reward_zero_std")
    lengths = (f"completions/{part}" for part in ("mean_length", "min_length", "max_length", "clipped_ratio"))
    scores = (f"rewards/{name}/{part}" for name in ("correctness", "format") for part in ("mean", "std"))
    more = (f"mismatch/{part}" for part in ("mean", "max", "kl", "ratio"))
    clips = (f"clip_ratio/{part}" for part in ("low_mean", "high_mean", "region_mean", "low_min", "high_max"))
    metrics = {name: chance.random() for name in (*names, *lengths, *scores, *more, *clips)}
    seconds = {"sync": 0.4, "generate": 1.5 + chance.random(), "reward": 0.001, "update": 2.4}
    memory = {name: 4_233_916_416 + chance.randrange(10**8) for name in ("rollout", "sync", "update", "resident")}
    groups = tuple(_group(place, chance) for place in range(4)) if with_groups else ()
    return Step(number, metrics, seconds, memory, groups, time.time())


def _group(place: int, chance: random.Random) -> Group:
    completions = tuple(
        Completion(
            index, f"<answer>{chance.randrange(10)}</answer> " * 8, "stop", chance.random(), 0.1,
            (RewardScore("correctness", 1.0), RewardScore("format", 0.0)), 40, tuple(range(40)), (-0.1,) * 40,
        )
        for index in range(8)
    )  # fmt: skip
    return Group(place, f"What is {place}+2?", (1, 2, 3), {"answer": place + 2}, completions)
