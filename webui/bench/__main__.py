"""python -m webui.bench RUNS STEPS [FOLDER]: with a folder the store is left there and used again."""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from core.settings import load_settings
from core.store import open_database
from webui.bench.browser import browser_times
from webui.bench.handlers import server_times
from webui.bench.serving import say
from webui.bench.store import at_work, fill
from webui.bench.viewers import VIEWERS, WATCHED_S, watched

COMPARED = 10


def main(run_count: int, step_count: int, keep: str = "") -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="grouper-bench-") as scratch:
        folder = Path(keep or scratch)
        folder.mkdir(parents=True, exist_ok=True)
        settings = load_settings({"GROUPER_HOME": str(folder)})
        database = open_database(settings.database_url)
        say(f"A store of {run_count} runs of {step_count} steps")
        done = fill(database, run_count, step_count)
        with at_work(database, step_count) as run_id:
            ids = [run_id, *done[: COMPARED - 1]]
            found: dict[str, Any] = {"runs": len(done) + 1, "steps": step_count}
            found["database_bytes"] = database.path.stat().st_size
            say("Asking for the pages")
            found["server_ms"] = server_times(folder, database, ids)
            say("Opening the pages in a browser")
            found["browser"] = browser_times(folder, ids)
            say(f"{VIEWERS} viewers of one run, for {WATCHED_S:.0f} s")
            found["viewers"] = watched(folder, database, run_id)
        database.close()
    return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:4])) + "\n")
