"""`import grouper`: its names are a contract, its examples run, and importing it costs no heavy package."""

import doctest
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests_support import a_step

import grouper
from core.config import make_config
from core.processes import identify
from core.records.status import RunStatus
from core.settings import PROJECT, load_settings
from core.store import open_database
from core.store.rollouts.record import record_step
from core.store.runs import lifecycle, queries


def test_the_names_are_these() -> None:
    """A name that is taken away or renamed breaks other people's code: it needs an entry in CHANGELOG.md."""
    assert grouper.__all__ == [
        "Completion",
        "Example",
        "GrouperError",
        "InvalidInput",
        "Message",
        "NotFound",
        "Reward",
        "Run",
        "Task",
        "completions",
        "launch",
        "load_task",
        "runs",
    ]
    assert all(getattr(grouper, name).__doc__ for name in grouper.__all__)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder whose only device is busy, so that no worker is started."""
    monkeypatch.setenv("GROUPER_HOME", str(tmp_path))
    monkeypatch.delenv("GROUPER_DATABASE_URL", raising=False)
    database = open_database(load_settings().database_url)
    with database.writing() as connection:
        run = lifecycle.enqueue(connection, make_config({"model": "smollm2-135m", "recipe": "addition", "rank": 16}))
        lifecycle.claim(connection, run.id, identify(os.getpid()))
        lifecycle.add_facts(connection, run.id, device="cpu")
    database.close()
    return tmp_path


def examples_of(name: str) -> doctest.TestResults:
    """The results of the examples in one docstring; "" is the module's."""
    finder, runner = doctest.DocTestFinder(recurse=False), doctest.DocTestRunner()
    text = getattr(grouper, name) if name else grouper
    for example in finder.find(text, name or "grouper", globs={"grouper": grouper}):
        runner.run(example)
    return doctest.TestResults(runner.failures, runner.tries)


def test_the_examples_give_what_they_say(home: Path) -> None:
    assert examples_of("launch") == (0, 2)
    database = open_database(load_settings().database_url)
    with database.writing() as connection:
        (run,) = queries.queued_runs(connection)
        assert run.status is RunStatus.QUEUED
        for number in (1, 2):
            record_step(connection, run.id, a_step(number))
    database.close()
    assert examples_of("runs") == (0, 1)
    assert examples_of("completions") == (0, 5)
    assert examples_of("") == (0, 6)


def test_what_cannot_work_is_refused(home: Path) -> None:
    with pytest.raises(grouper.NotFound, match="recipe"):
        grouper.launch("adition")
    with pytest.raises(grouper.InvalidInput, match="rank"):
        grouper.launch("addition", gpu="cpu", rank=24)
    with pytest.raises(grouper.NotFound, match="run"):
        grouper.completions("nothere1")
    with pytest.raises(grouper.InvalidInput, match="sort"):
        grouper.completions("nothere1", sort="best")
    assert issubclass(grouper.NotFound, grouper.InvalidInput)
    assert issubclass(grouper.InvalidInput, grouper.GrouperError)
    assert len(grouper.runs()) == 1


def test_importing_it_loads_nothing_heavy() -> None:
    program = (
        "import sys, grouper\n"
        "heavy = {'torch', 'gradio', 'vllm', 'trl', 'peft', 'transformers', 'webui'} & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(heavy)) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
