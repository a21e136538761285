"""One real demo run, shared by the tests that look at what it left."""

import json
import threading
import time
from contextlib import closing
from pathlib import Path
from statistics import fmean

import pytest
from engine_support import TEN_MINUTES, Demo, grouper

from core.jobs import submission
from core.settings import Settings, load_settings
from core.store import open_database
from core.store.runs import queries

# Enough steps for a checkpoint on the way and two answers to the fixed prompts; then this mean of the last rewards.
FEWEST, LAST, LEARNED = 22, 5, 0.9


@pytest.fixture(scope="session")
def engine_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("engine")


@pytest.fixture(scope="session")
def demo(engine_home: Path) -> Demo:
    """The built-in recipe, from the command line, stopped once it has learned."""
    arguments = ["launch", "--recipe", "addition", "--model", "smollm2-135m", "--gpu", "cpu", "--steps", "40"]
    settings = load_settings({"GROUPER_HOME": str(engine_home)})
    watcher = threading.Thread(target=stop_when_learned, args=(settings,), daemon=True)
    watcher.start()
    result = grouper(engine_home, *arguments, "--wait", "--json", timeout=2 * TEN_MINUTES)
    assert result.returncode == 0, result.stderr[-3000:]
    watcher.join(timeout=30)
    return Demo(settings, json.loads(result.stdout), result.stderr)


def stop_when_learned(settings: Settings) -> None:
    """Stops the one run there is when its last steps have earned enough; one that does not learn goes on to its end."""
    database = open_database(settings.database_url)
    with closing(database):
        while True:
            time.sleep(0.5)
            with database.reading() as connection:
                runs = queries.list_runs(connection)
                steps = queries.list_steps(connection, runs[0].id) if runs else []
            if runs and runs[0].status.is_final:
                return
            last = [step.metrics["reward"] or 0.0 for step in steps[-LAST:]]
            if len(steps) >= FEWEST and fmean(last) > LEARNED:
                submission.stop(database, runs[0].id, "test")
                return
