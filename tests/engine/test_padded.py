"""A model that cannot be packed is trained through padded rows, with everything else as it should be."""

import json
from pathlib import Path

import pytest
from engine_support import grouper
from tiny_support import save_tiny

from core.settings import load_settings
from core.store import open_database
from core.store.runs import queries

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]
OPTIONS = (
    "--gpu", "cpu", "--steps", "3", "--rank", "8", "--fast-inference", "off", "--wait", "--json",
    "--set", "group_size=4", "--set", "prompts_per_step=2",
    "--set", "prompt_tokens=400", "--set", "completion_tokens=16",
)  # fmt: skip


@pytest.mark.parametrize(("window", "packed"), [(64, False), (512, True)])
def test_a_window_decides_and_the_run_says_so(tmp_path: Path, window: int, packed: bool) -> None:
    model = save_tiny(tmp_path / "model", "mistral", sliding_window=window)
    result = grouper(tmp_path / "home", "launch", "--recipe", "addition", "--model", str(model), *OPTIONS)
    assert result.returncode == 0, result.stderr[-3000:]
    document = json.loads(result.stdout)
    assert (document["state"], document["completions"]) == ("completed", 24)
    database = open_database(load_settings({"GROUPER_HOME": str(tmp_path / "home")}).database_url)
    with database.reading() as connection:
        run = queries.get_run(connection, document["run"])
        steps = queries.list_steps(connection, run.id)
        said = [event for event in queries.list_events(connection, run.id) if "Groups are" in event.message]
    database.close()
    assert run.facts["packed"] is packed
    assert [event.message for event in said] == [run.facts["packing"]]
    assert ("window of 64 tokens is shorter than a sequence of 416" in said[0].message) == (not packed)
    assert run.facts["base_weights_checked"] == 3
    assert len(run.facts["base_weights"]) == 16
    for step in steps:
        assert step.metrics["mismatch/mean"] is not None
        assert step.metrics["mismatch/mean"] < 0.1  # engine and trainer agree on this path too
        assert step.metrics["mismatch/ratio"] == pytest.approx(1.0, abs=0.1)
        assert step.metrics["groups_updated"] is not None
        assert step.metrics["entropy"] is not None
    assert f"{'Groups are packed' if packed else 'Groups are padded'}" in (
        tmp_path / "home" / "runs" / run.id / "worker.log"
    ).read_text(encoding="utf-8")
