"""A store full of made-up completions.

The first FRESH go through the store's own recording: 32 completions a step, all of one run, which is the hardest case
for its indices. Words are drawn by Zipf's law, so that some are everywhere and some are rare. What is beyond is copied
from those by SQL, with rare words of its own, since recording ten millions would take hours.
"""

import dataclasses
import itertools
import random
import sqlite3
import statistics
import sys
from contextlib import closing
from pathlib import Path

from core.config import make_config
from core.records.rollout import Completion, Group, RewardScore
from core.records.status import RunStatus
from core.records.step import Step
from core.store import columnar, open_database
from core.store.rollouts.record import record_step
from core.store.runs import lifecycle, queries

GROUPS, GROUP_SIZE, TOKENS = 4, 8, 64
PROMPTS = 5000
WORDS = ["".join(sounds) for sounds in itertools.product("bdfgklmnprst", "aeiou", ("n", "r", "s", "ta", "ko", "mi"))]
STEPS_AT_ONCE = 500  # recorded in one transaction, for speed
FRESH = 1_000_000


def filled(path: Path, rows: int, most_fresh: int = FRESH) -> str:
    """The id of a run with at least this many completions, made where they are missing."""
    database = open_database(f"sqlite:///{path}")
    try:
        with database.writing() as connection:
            runs = queries.list_runs(connection)
            config = make_config({"model": "smollm2-135m", "recipe": "addition"})
            run = runs[0] if runs else lifecycle.enqueue(connection, config, name="bench")
            if run.status is RunStatus.QUEUED:  # or the dashboard would start a worker for it
                lifecycle.move(connection, run.id, RunStatus.CANCELLED)
        fresh = _steps_of(min(rows, most_fresh))
        for start in range(run.step, fresh, STEPS_AT_ONCE):
            with database.writing() as connection:
                for number in range(start + 1, min(start + STEPS_AT_ONCE, fresh) + 1):
                    record_step(connection, run.id, make_step(number, fresh))
            _say(min(start + STEPS_AT_ONCE, fresh) * GROUPS * GROUP_SIZE)
    finally:
        database.close()
    if _steps_of(rows) > max(run.step, fresh):
        _copied(path, _steps_of(rows), fresh)
        _sealed(path)
    return run.id


def _steps_of(rows: int) -> int:
    return -(-rows // (GROUPS * GROUP_SIZE))


def _copied(path: Path, steps: int, fresh: int) -> None:
    """Copies the first `fresh` steps until there are so many. Nothing here outlives a crash, which makes it fast."""
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "locking_mode=EXCLUSIVE", "cache_size=-1500000"):
            raw.execute(f"PRAGMA {pragma}").fetchall()
        while (last := _most(raw, "steps", "number")) < steps:
            _copy(raw, min(fresh, steps - last), last // fresh)
            _say(_most(raw, "completions", "id"))
        raw.execute("UPDATE runs SET step = ?", (last,))


def _copy(raw: sqlite3.Connection, steps: int, copy: int) -> None:
    """Copies so many of the first steps to after the last, with rare words marked by the number of the copy."""
    step, group, member = (_most(raw, *each) for each in (("steps", "number"), ("groups", "id"), ("completions", "id")))
    whole = {"group": group, "completion": member, "step": step}
    tables = {
        "steps": (steps, "number", {"number": step}),
        "groups": (steps * GROUPS, "id", {"id": group, "step": step}),
        "completions": (steps * GROUPS * GROUP_SIZE, "id", {**whole, "id": member}),
        **{
            name: (steps * GROUPS * GROUP_SIZE, "completion", whole)
            for name in ("texts", "scores", "tokens", "evidence")
        },
    }
    raw.execute("BEGIN")
    for table, (most, key, moved) in tables.items():
        names = [row[1] for row in raw.execute(f"PRAGMA table_info({table})")]
        made = [f'"{name}" + {moved[name]}' if name in moved else f'"{name}"' for name in names]
        if table == "texts":
            made[names.index("text")] = f"replace(text, ' mark', ' mark{copy}')"
        raw.execute(f"INSERT INTO {table} SELECT {', '.join(made)} FROM {table} WHERE {key} <= ?", (most,))
    raw.execute("COMMIT")


def _most(raw: sqlite3.Connection, table: str, column: str) -> int:
    return int(raw.execute(f"SELECT max({column}) FROM {table}").fetchone()[0])


def _sealed(path: Path) -> None:
    """The blocks of what was copied past the recording; opening brings the journal back."""
    database = open_database(f"sqlite:///{path}")
    with database.writing() as connection:
        columnar.seal(connection, connection.exec_driver_sql("SELECT key FROM runs").scalar_one())
    database.close()


def _say(rows: int) -> None:
    sys.stderr.write(f"\r{rows:,} rows")


def make_step(number: int, steps: int) -> Step:
    chance = random.Random(number)
    skill = 0.1 + 0.8 * min(1.0, number / steps)
    return Step(number, {"loss": 0.1}, {"generate": 1.0}, {}, tuple(_group(g, chance, skill) for g in range(GROUPS)))


def _group(index: int, chance: random.Random, skill: float) -> Group:
    made = [_completion(place, chance, skill) for place in range(GROUP_SIZE)]
    rewards = [one.reward or 0.0 for one in made]
    mean, spread = statistics.fmean(rewards), statistics.pstdev(rewards) + 1e-4
    members = tuple(dataclasses.replace(one, advantage=((one.reward or 0.0) - mean) / spread) for one in made)
    question = chance.randrange(PROMPTS)
    prompt = f"<|im_start|>user\nWhat is {question}+{question % 7}? {_words(random.Random(question), 30)}<|im_end|>\n"
    return Group(index, prompt, tuple(range(60)), {"answer": question % 40, "question": str(question)}, members)


def _completion(index: int, chance: random.Random, skill: float) -> Completion:
    form, right = chance.random() < 0.5 + skill / 2, chance.random() < skill
    scores = (RewardScore("correctness", float(right and form)), RewardScore("format", float(form)))
    reward = 0.8 * float(right and form) + 0.2 * float(form) * chance.random()
    length = chance.randint(4, TOKENS * 2 - 4)
    text = f"{_words(chance, length)} mark{chance.randrange(20_000)} <answer>{chance.randrange(40)}</answer><|im_end|>"
    ids = tuple(chance.choices(range(49152), k=length))
    sampled, trained, entropies = (tuple(sign * chance.random() for _ in range(length)) for sign in (-1, -1, 1))
    reason = "stop" if length < TOKENS * 1.8 else "length"
    return Completion(index, text, reason, reward, 0.0, scores, length, ids, sampled, trained, entropies)


def _words(chance: random.Random, count: int) -> str:
    return " ".join(WORDS[min(len(WORDS) - 1, int(chance.paretovariate(0.7)) - 1)] for _ in range(count))
