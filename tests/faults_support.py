"""Workers of real runs that are killed, starved and fed broken files, and what must be left of them: nothing."""

import os
import shutil
import time
from pathlib import Path

import psutil
import pytest
from engine_support import grouper

from core.jobs import supervisor
from core.records.run import Run
from core.settings import Settings, load_settings
from core.store import open_database
from core.store.runs import queries

MINUTES = 120.0
SMALL = (
    "--set", "prompts_per_step=2", "--set", "group_size=4", "--set", "completion_tokens=12", "--rank", "8",
)  # fmt: skip


def home_with(models: Path, home: Path) -> Settings:
    """A state folder that has the converted models, as links to the same files."""
    (home / "models").mkdir(parents=True)
    for model in models.iterdir():
        shutil.copytree(model, home / "models" / model.name, copy_function=os.link)
    return load_settings({"GROUPER_HOME": str(home)})


def launch(settings: Settings, *arguments: str, model: str = "smollm2-135m") -> Run:
    """Queues a run through the command line, which starts its worker and leaves it."""
    result = grouper(settings.home, "launch", "--recipe", "addition", "--model", model, *SMALL, *arguments)
    assert result.returncode == 0, result.stderr
    run = newest(settings)
    assert run.process is not None
    return run


def newest(settings: Settings) -> Run:
    database = open_database(settings.database_url)
    with database.reading() as connection:
        (run,) = queries.list_runs(connection, limit=1)
    database.close()
    return run


def log_of(settings: Settings, run: Run) -> str:
    return (settings.run_folder(run.id) / "worker.log").read_text(encoding="utf-8", errors="replace")


def wait_for_log(settings: Settings, run: Run, text: str, seconds: float = MINUTES) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if text in log_of(settings, run):
            return
        if newest(settings).status.is_final:
            break
        time.sleep(0.02)
    pytest.fail(f"{text!r} is not in the log:\n{log_of(settings, run)[-3000:]}")


def wait_for_end(settings: Settings, seconds: float = MINUTES) -> Run:
    """The newest run once it has ended, looked after the way a dashboard does."""
    database = open_database(settings.database_url)
    deadline = time.monotonic() + seconds
    try:
        while time.monotonic() < deadline:
            supervisor.tick(database, settings)
            run = newest(settings)
            if run.status.is_final:
                return run
            time.sleep(0.1)
    finally:
        database.close()
    pytest.fail(f"run {run.id} is still {run.status}:\n{log_of(settings, run)[-3000:]}")


def left_of(run: Run, seconds: float = 15.0) -> list[str]:
    """Processes of the worker's session that are still there after the time that an orderly end may take."""
    deadline = time.monotonic() + seconds
    while _session_of(run) and time.monotonic() < deadline:
        time.sleep(0.1)
    return _session_of(run)


def _session_of(run: Run) -> list[str]:
    assert run.process is not None
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        try:
            if os.getsid(process.pid) == run.process.pid and process.info["status"] != psutil.STATUS_ZOMBIE:
                found.append(" ".join(process.info["cmdline"] or []))
        except (psutil.Error, OSError):
            continue
    return found


def half_written(settings: Settings) -> list[Path]:
    return [path for path in settings.home.rglob("*.partial") if path.exists()]
