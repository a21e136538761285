"""How fast the pages answer over many long runs, and what many viewers of one run cost: `grouper bench pages`.

Builds a state folder of its own, starts the dashboard on it the way a user does, and asks it as a browser would.
Prints one JSON document; times are milliseconds.
"""

import json
import random
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psutil

from core.config import make_config
from core.processes import identify
from core.runs import Completion, Group, RewardScore, RunStatus, Step
from core.settings import PROJECT, load_settings
from core.store import Database, lifecycle, open_database, recording
from core.store.listing import RunFilter
from webui.bench_browser import first_content
from webui.pages import compare, run, runs
from webui.services import open_services

RUNS, STEPS, COMPARED, VIEWERS = 500, 2000, 10, 50
WATCHED_S, STEP_EVERY_S, POLL_S = 30.0, 2.0, 1.5
REPEATS = 7


def main(run_count: int = RUNS, step_count: int = STEPS) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="grouper-bench-") as folder:
        settings = load_settings({"GROUPER_HOME": folder})
        database = open_database(settings.database_url)
        say(f"Writing {run_count} runs of {step_count} steps")
        ids = fill(database, run_count, step_count)
        found: dict[str, Any] = {"runs": run_count, "steps": step_count}
        found["database_bytes"] = database.path.stat().st_size
        say("Asking for the pages")
        found["server_ms"] = server_times(folder, database, ids)
        say("Opening the pages in a browser")
        found["browser"] = browser_times(Path(folder), ids)
        say(f"{VIEWERS} viewers of one run, for {WATCHED_S:.0f} s")
        found["viewers"] = watched(Path(folder), database, ids[0])
        database.close()
    return found


def fill(database: Database, run_count: int, step_count: int) -> list[str]:
    """Runs with their steps; the first one is at work, the others are done. Ids, the one at work first."""
    ids: list[str] = []
    for place in range(run_count):
        values = {"rank": (16, 32, 64)[place % 3], "steps": step_count * (1 + (place == 0)), "seed": place}
        config = make_config({"model": "smollm2-135m", "recipe": ("addition", "countdown")[place % 2], **values})
        with database.writing() as connection:
            started = lifecycle.enqueue(connection, config, f"run {place}")
            lifecycle.claim(connection, started.id, identify())
            lifecycle.move(connection, started.id, RunStatus.RUNNING)
            if place:
                lifecycle.move(connection, started.id, RunStatus.COMPLETED)
        ids.append(started.id)
    with closing(sqlite3.connect(database.path)) as raw:
        raw.executemany("INSERT INTO steps VALUES (1, ?, ?, ?, ?, ?, ?, ?)", map(_row, range(1, step_count + 1)))
        copied = "SELECT ?, number, at, reward * ?, tokens, metrics, seconds, memory FROM steps WHERE run = 1"
        raw.executemany(
            f"INSERT INTO steps {copied}", ((key, 0.5 + 0.5 * key / run_count) for key in range(2, run_count + 1))
        )
        raw.execute("UPDATE runs SET step = ?, reward = 0.9, tokens = ?", (step_count, step_count * 270))
        raw.commit()
    with database.writing() as connection:
        recording.record_step(connection, ids[0], a_step(step_count + 1))
    return ids


def _row(number: int) -> tuple[Any, ...]:
    step = a_step(number, with_groups=False)
    texts = (json.dumps(dict(part)) for part in (step.metrics, step.seconds, step.memory))
    return (number, time.time() - (10_000 - number) * 4, step.metrics["reward"], 270, *texts)


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


def server_times(folder: str, database: Database, ids: list[str]) -> dict[str, Any]:
    """What the pages' handlers take: with nothing kept from before, then after each new step of a run."""
    settings = load_settings({"GROUPER_HOME": folder})

    def cold(look: Callable[[Any], object]) -> float:
        taken = []
        for _ in range(REPEATS):
            services = open_services(settings)
            taken.append(_milliseconds(lambda: look(services)))  # noqa: B023 - called at once
            services.close()
        return round(statistics.median(taken), 1)

    views = {
        "runs_first": lambda services: runs.look(services, RunFilter()),
        "runs_search": lambda services: runs.look(services, RunFilter(search="run 7", sort="-reward")),
        "run_first": lambda services: run.look(services, run.View(ids[0])),
        "compare_first": lambda services: compare.look(services, compare.View(tuple(ids[:COMPARED]))),
    }
    found: dict[str, Any] = {name: cold(look) for name, look in views.items()}
    services = open_services(settings)
    live: dict[str, list[float]] = {"runs_update": [], "run_update": []}
    view, _ = run.look(services, run.View(ids[0]))
    runs.look(services, RunFilter())
    for _ in range(REPEATS):
        _next_step(database, ids[0])
        time.sleep(0.6)  # until the change token is read again
        live["runs_update"].append(_milliseconds(lambda: runs.look(services, RunFilter())))
        seen = view
        live["run_update"].append(_milliseconds(lambda: run.look(services, seen)))  # noqa: B023 - called at once
        view, _ = run.look(services, view)
    services.close()
    return {**found, **{name: round(statistics.median(taken), 1) for name, taken in live.items()}}


def browser_times(folder: Path, ids: list[str]) -> dict[str, Any]:
    """What a reader waits for until each page shows its content."""
    pages = {
        "runs": "runs",
        "run": f"run?id={ids[0]}",
        "compare": f"compare?runs={','.join(ids[:COMPARED])}",
        "completions": f"completions?run={ids[0]}",
    }
    with dashboard(folder) as (address, _):
        return first_content(address, pages)


def watched(folder: Path, database: Database, run_id: str) -> dict[str, Any]:
    """The dashboard's processor time while VIEWERS pages follow a run that takes a step every STEP_EVERY_S."""
    with dashboard(folder) as (address, process):
        pages = Pages(address)
        first = [_milliseconds(partial(httpx.get, f"{address}/{page}")) for page in ("runs", "run")]
        loaded = {
            "runs_load": round(pages.load("runs"), 1),
            "run_load": round(pages.load("run", id=run_id), 1),
            "compare_load": round(pages.load("compare", runs=",".join([run_id])), 1),
        }
        ending, answers = threading.Event(), [0, 0]
        threads = [threading.Thread(target=pages.follow, args=(run_id, ending, answers)) for _ in range(VIEWERS)]
        for thread in threads:
            thread.start()
        time.sleep(POLL_S * 2)
        before, began, asked = process.cpu_times(), time.monotonic(), list(answers)
        while time.monotonic() - began < WATCHED_S:
            _next_step(database, run_id)
            time.sleep(STEP_EVERY_S)
        after, passed = process.cpu_times(), time.monotonic() - began
        ending.set()
        for thread in threads:
            thread.join(timeout=30)
    used = after.user + after.system - before.user - before.system
    return {
        "viewers": VIEWERS,
        "seconds": round(passed, 1),
        "cores": round(used / passed, 3),
        "asked_per_second": round((answers[0] - asked[0]) / passed, 1),
        "updates_per_second": round((answers[1] - asked[1]) / passed, 1),
        "page_ms": dict(zip(("runs_html", "run_html"), (round(each, 1) for each in first), strict=True)),
        **{f"{name}_ms": value for name, value in loaded.items()},
    }


class Pages:
    """A browser's requests: the page's load handler, the change token, and the handler behind a change."""

    def __init__(self, address: str) -> None:
        self.address = address
        config = httpx.get(f"{address}/config").json()
        self._ids = {part["props"].get("elem_id"): part["id"] for part in config["components"]}
        self._handlers = config["dependencies"]
        self._pages = config["page"]

    def _handler(self, page: str, event: str) -> int:
        mine = set(self._pages[page]["dependencies"])
        return next(
            each["id"]
            for each in self._handlers
            if each["id"] in mine and any(target[1] == event for target in each["targets"]) and each["outputs"]
        )

    def _call(self, client: httpx.Client, handler: int, session: str, page: str, query: str, data: list[Any]) -> None:
        body = {"fn_index": handler, "session_hash": session, "data": data, "event_data": None, "trigger_id": None}
        client.post(f"{self.address}/gradio_api/run/predict?{query}", json=body).raise_for_status()

    def load(self, page: str, **query: str) -> float:
        """Milliseconds of the page's load handler, over HTTP."""
        text = "&".join(f"{name}={value}" for name, value in query.items())
        with httpx.Client(timeout=60) as client:
            handler = self._handler(page, "load")
            return _milliseconds(lambda: self._call(client, handler, f"load-{page}", page, text, []))

    def follow(self, run_id: str, ending: threading.Event, answers: list[int]) -> None:
        session, seen = f"viewer-{threading.get_ident()}", ""
        tick = self._handler("run", "tick")
        with httpx.Client(timeout=60) as client:
            self._call(client, self._handler("run", "load"), session, "run", f"id={run_id}", [])
            ending.wait(random.random() * POLL_S)
            while not ending.wait(POLL_S):
                token = client.get(f"{self.address}/changes", params={"run": run_id}).text
                answers[0] += 1
                if token != seen:
                    seen = token
                    self._call(client, tick, session, "run", "", [None])
                    answers[1] += 1


@contextmanager
def dashboard(folder: Path) -> Iterator[tuple[str, psutil.Process]]:
    """`python app.py` over this state folder: its address and its process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {"GROUPER_HOME": str(folder), "GRADIO_SERVER_NAME": "127.0.0.1", "GRADIO_SERVER_PORT": str(port)}
    with (folder / "dashboard.log").open("wb") as log:
        server = subprocess.Popen(
            ["/usr/bin/env", *(f"{name}={value}" for name, value in environment.items()), sys.executable, "app.py"],
            cwd=PROJECT,
            stdout=log,
            stderr=log,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            try:
                httpx.get(address, timeout=10).raise_for_status()
                break
            except httpx.HTTPError:
                time.sleep(0.2)
        yield address, psutil.Process(server.pid)
    finally:
        server.terminate()
        server.wait(timeout=30)


def _next_step(database: Database, run_id: str) -> None:
    with database.writing() as connection:
        number = connection.exec_driver_sql("SELECT step FROM runs WHERE id = ?", (run_id,)).scalar_one()
        recording.record_step(connection, run_id, a_step(number + 1))


def _milliseconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - began)


def say(text: str) -> None:
    sys.stderr.write(text + "\n")


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(*map(int, sys.argv[1:]))) + "\n")
