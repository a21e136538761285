"""A run that the first version stored is extended by this one, with the real engine, to its end."""

import json
from pathlib import Path

import pytest
from engine_support import Demo, grouper
from stored_support import state_of

from core.settings import Settings
from core.store import open_database
from core.store.runs import queries

pytestmark = [pytest.mark.long, pytest.mark.engine, pytest.mark.timeout(600)]


@pytest.fixture
def settings(tmp_path: Path, demo: Demo) -> Settings:
    """The oldest database there is, beside the built-in model that is ready already."""
    settings = state_of(tmp_path, "0001")
    settings.models.symlink_to(demo.settings.models)
    return settings


def test_a_run_of_the_first_version_is_resumed_and_ends(settings: Settings) -> None:
    database = open_database(settings.database_url)
    with database.reading() as connection:
        (waiting,) = queries.queued_runs(connection)
        (stopped,) = (run for run in queries.list_runs(connection) if run.name == "stopped early")
    assert grouper(settings.home, "stop", waiting.id).returncode == 0
    result = grouper(settings.home, "resume", stopped.id, "--wait", "--json")
    assert result.returncode == 0, result.stderr[-3000:]
    assert json.loads(result.stdout)["state"] == "completed"
    with database.reading() as connection:
        run = queries.get_run(connection, stopped.id)
        events = [event.message for event in queries.list_events(connection, stopped.id)]
        clone = queries.get_run(connection, waiting.id).config
    database.close()
    assert (run.attempt, run.step, run.engine) == (2, 4, "vllm")
    assert run.config == clone == stopped.config
    assert any("goes on from the start" in message for message in events)
