"""The dashboard's processor time while many browsers follow one run."""

import random
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from core.store import Database
from webui.bench.serving import dashboard, milliseconds
from webui.bench.store import next_step
from webui.upstream.gradio import PREDICT_PATH, handler_of, predict_body

VIEWERS, WATCHED_S, STEP_EVERY_S, POLL_S = 50, 30.0, 2.0, 1.5


def watched(folder: Path, database: Database, run_id: str) -> dict[str, Any]:
    """The dashboard's processor time while VIEWERS pages follow a run that takes a step every STEP_EVERY_S."""
    with dashboard(folder) as (address, process):
        pages = Pages(address)
        first = [milliseconds(partial(httpx.get, f"{address}/{page}")) for page in ("runs", "run")]
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
            next_step(database, run_id)
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
        self._config = httpx.get(f"{address}/config").json()

    def _call(self, client: httpx.Client, handler: int, session: str, query: str, data: list[Any]) -> None:
        body = predict_body(handler, session, data)
        client.post(f"{self.address}/{PREDICT_PATH}?{query}", json=body).raise_for_status()

    def _load(self, client: httpx.Client, session: str, page: str, query: str) -> None:
        """What a tab sends that brings no key: the whole page is answered."""
        handler = handler_of(self._config, page, "load")
        self._call(client, handler["id"], session, query, [""] * len(handler["inputs"]))

    def load(self, page: str, **query: str) -> float:
        """Milliseconds of the page's load handler, over HTTP."""
        text = "&".join(f"{name}={value}" for name, value in query.items())
        with httpx.Client(timeout=60) as client:
            return milliseconds(lambda: self._load(client, f"load-{page}", page, text))

    def follow(self, run_id: str, ending: threading.Event, answers: list[int]) -> None:
        session, seen = f"viewer-{threading.get_ident()}", ""
        tick = handler_of(self._config, "run", "tick")["id"]
        with httpx.Client(timeout=60) as client:
            self._load(client, session, "run", f"id={run_id}")
            ending.wait(random.random() * POLL_S)
            while not ending.wait(POLL_S):
                token = client.get(f"{self.address}/changes", params={"run": run_id}).text
                answers[0] += 1
                if token != seen:
                    seen = token
                    self._call(client, tick, session, "", [None])
                    answers[1] += 1
