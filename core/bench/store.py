"""How long the completion browser takes over a store of a given size, and what a completion costs on disk."""

import dataclasses
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.bench.filling import GROUP_SIZE, GROUPS, TOKENS, filled, make_step
from core.bench.program import run_program
from core.bench.questions import ASKED, Asking
from core.settings import Settings
from core.store import Database, integrity, open_database
from core.store.rollouts.record import record_step
from core.store.runs import queries
from core.store.search.query import list_completions, overview

QUERIES = 60  # of each kind


def bench_store(settings: Settings, rows: int, keep: Path | None = None) -> dict[str, Any]:
    """Builds a store of `rows` completions and asks it what the pages ask, then the pages themselves.

    JSON: {rows, p95_ms: {page, filter, sort, search, count}, median_ms, max_ms: the same, bytes_per_completion,
    bytes_per_completion_without_trainer, bytes_per_completion_without_tokens, tokens_per_completion, peak_rss_bytes,
    web, record_step_ms, build_seconds}; `web` is what `webui.bench.completions` says, and peak_rss_bytes is of that web
    process, which has answered every kind of question. With `keep`, the store stays there and is used again.
    """
    settings.home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=settings.home) as scratch:
        path = (keep or Path(scratch) / "store.db").resolve()
        began = time.perf_counter()
        run_id = filled(path, rows)
        seconds = time.perf_counter() - began
        there = dataclasses.replace(settings, home=Path(scratch), database_url=f"sqlite:///{path}")
        web = run_program(there, "webui.bench.completions", run_id, str(rows))
        database = open_database(there.database_url)
        try:
            found = _measured(database, run_id, rows)
        finally:
            database.close()
        peak = web.pop("peak_rss_bytes")
        return {"rows": rows, **found, "peak_rss_bytes": peak, "web": web, "build_seconds": round(seconds, 1)}


def _measured(database: Database, run_id: str, rows: int) -> dict[str, Any]:
    taken = {name: _time(database, run_id, rows, asking, list_completions) for name, asking in ASKED.items()}
    taken["count"] = [
        each for name in ("filter", "search") for each in _time(database, run_id, rows, ASKED[name], overview)
    ]
    return {
        "p95_ms": {name: p95(values) for name, values in taken.items()},
        "median_ms": {name: round(statistics.median(values), 1) for name, values in taken.items()},
        "max_ms": {name: round(max(values), 1) for name, values in taken.items()},
        **_sizes(database, rows),
        "record_step_ms": _record_ms(database, run_id, rows),
    }


def _sizes(database: Database, rows: int) -> dict[str, Any]:
    nbytes, of_tokens = integrity.size_bytes(database), integrity.table_bytes(database, "tokens")
    of_trainer = integrity.trainer_bytes(database)
    return {
        "bytes_per_completion": round(nbytes / rows),
        "bytes_per_completion_without_trainer": round(nbytes / rows - of_trainer),
        "bytes_per_completion_without_tokens": round((nbytes - of_tokens) / rows),
        "tokens_per_completion": TOKENS,
    }


def _time(database: Database, run_id: str, rows: int, asking: Asking, ask: Callable[..., Any]) -> list[float]:
    """Milliseconds of QUERIES different questions, each asked once."""
    chance, taken = random.Random(rows), []
    for _ in range(QUERIES):
        wanted = asking(chance, rows)
        began = time.perf_counter()
        with database.reading() as connection:
            ask(connection, run_id, wanted)
        taken.append(1000 * (time.perf_counter() - began))
    return taken


def _record_ms(database: Database, run_id: str, rows: int) -> float:
    """Milliseconds to record one more step in a transaction of its own, the median of five."""
    with database.reading() as connection:
        last = queries.get_run(connection, run_id).step
    taken = []
    for number in range(last + 1, last + 6):
        step = make_step(number, rows // (GROUPS * GROUP_SIZE))
        began = time.perf_counter()
        with database.writing() as connection:
            record_step(connection, run_id, step)
        taken.append(1000 * (time.perf_counter() - began))
    return round(statistics.median(taken), 1)


def p95(values: list[float]) -> float:
    return round(sorted(values)[int(0.95 * (len(values) - 1))], 1)
