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

    def _nothing(self, handler: int) -> list[str]:
        """What a tab sends that brings no key: the whole page is answered."""
        return [""] * next(len(each["inputs"]) for each in self._handlers if each["id"] == handler)

    def load(self, page: str, **query: str) -> float:
        """Milliseconds of the page's load handler, over HTTP."""
        text = "&".join(f"{name}={value}" for name, value in query.items())
        with httpx.Client(timeout=60) as client:
            handler = self._handler(page, "load")
            return milliseconds(lambda: self._call(client, handler, f"load-{page}", page, text, self._nothing(handler)))

    def follow(self, run_id: str, ending: threading.Event, answers: list[int]) -> None:
        session, seen = f"viewer-{threading.get_ident()}", ""
        tick = self._handler("run", "tick")
        with httpx.Client(timeout=60) as client:
            load = self._handler("run", "load")
            self._call(client, load, session, "run", f"id={run_id}", self._nothing(load))
            ending.wait(random.random() * POLL_S)
            while not ending.wait(POLL_S):
                token = client.get(f"{self.address}/changes", params={"run": run_id}).text
                answers[0] += 1
                if token != seen:
                    seen = token
                    self._call(client, tick, session, "run", "", [None])
                    answers[1] += 1
