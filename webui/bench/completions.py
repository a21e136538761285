"""The dashboard over a store of very many completions: how fast its pages answer, and the memory it takes for that.

`python -m webui.bench.completions RUN ROWS` looks at the database that the environment names, through a dashboard of
its own, and prints one JSON document; times are milliseconds.
"""

import json
import random
import statistics
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import psutil

from core.bench.questions import ASKED
from core.bench.store import p95
from core.settings import load_settings
from webui.bench.browser import first_content
from webui.bench.serving import dashboard, say
from webui.bench.viewers import Pages

QUESTIONS = 20  # of each kind
TOGETHER = 4  # readers at the same time
EXPORTED = 20 * 2**20  # bytes of an export that are read


def main(run_id: str, rows: int) -> dict[str, Any]:
    url = load_settings().database_url
    with (
        tempfile.TemporaryDirectory(prefix="grouper-bench-") as folder,
        dashboard(Path(folder), url) as (address, process),
    ):
        say("Opening the page of completions in a browser")
        shown = first_content({"completions": f"{address}/completions?run={run_id}"})
        say("Asking the pages")
        pages, began = Pages(address), _peak(process)
        taken = {name: [_load(pages, asked) for asked in questions] for name, questions in _kinds(run_id, rows)}
        alone = _peak(process)
        _all_at_once(pages, run_id, rows)
        _export(address, run_id)
        return {
            "first_content": shown,
            "page_p95_ms": {name: p95(values) for name, values in taken.items()},
            "page_median_ms": {name: round(statistics.median(values), 1) for name, values in taken.items()},
            "rss_before_questions_bytes": began,
            "rss_one_reader_bytes": alone,
            "readers": TOGETHER,
            "peak_rss_bytes": _peak(process),
        }


Asked = dict[str, str]


def _kinds(run_id: str, rows: int) -> Iterator[tuple[str, list[tuple[str, Asked]]]]:
    """(kind, [(page, query)]): every page about completions, and `find` with every kind of question."""
    chance, run = random.Random(rows), {"run": run_id}
    steps, ids = ([str(chance.randrange(1, most)) for _ in range(QUESTIONS)] for most in (rows // 32, rows))
    yield "completions", [("completions", run | {"step": step, "group": "2"}) for step in steps]
    for kind, asking in ASKED.items():
        yield kind, [("find", run | asking(chance, rows).to_query()) for _ in range(QUESTIONS)]
    yield "completion", [("completion", {"id": each}) for each in ids]
    yield "prompt", [("prompt", {"id": each}) for each in ids]
    yield "replay", [("replay", run | {"weight:format": f"{chance.random():.3f}"}) for _ in range(5)]


def _load(pages: Pages, asked: tuple[str, Asked]) -> float:
    page, query = asked
    return pages.load(page, **{name: quote(text) for name, text in query.items()})


def _all_at_once(pages: Pages, run_id: str, rows: int) -> None:
    """Everything once more, by several readers at the same time, which is when the most memory is taken."""
    everything = [asked for _, questions in _kinds(run_id, rows + 1) for asked in questions]
    random.Random(rows).shuffle(everything)
    with ThreadPoolExecutor(TOGETHER) as readers:
        list(readers.map(lambda asked: _load(pages, asked), everything))


def _export(address: str, run_id: str) -> None:
    with httpx.stream("GET", f"{address}/export", params={"run": run_id, "format": "jsonl"}, timeout=60) as answer:
        answer.raise_for_status()
        read = 0
        for piece in answer.iter_bytes():
            read += len(piece)
            if read > EXPORTED:
                break


def _peak(process: psutil.Process) -> int:
    """The most memory the process ever held, in bytes; what it holds now where the system does not keep that."""
    status = Path(f"/proc/{process.pid}/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        return int(lines["VmHWM"].split()[0]) * 1024
    return int(process.memory_info().rss)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(sys.argv[1], int(sys.argv[2]))) + "\n")
