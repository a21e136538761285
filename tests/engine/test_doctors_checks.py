"""The doctor tries everything for real."""

import json
from pathlib import Path

import psutil
import pytest
from engine_support import Demo, grouper

from core.jobs import doctor

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]


def test_everything_is_tried_and_works(demo: Demo) -> None:
    result = grouper(demo.settings.home, "doctor", "--json")
    document = json.loads(result.stdout)
    found = {check["name"]: check for check in document["checks"]}
    assert result.returncode == 0, document
    assert document["healthy"]
    assert {name for name, _ in doctor.TRIED} < set(found)
    assert all(check["state"] == "ok" for check in found.values()), found
    assert found["engine"]["figures"]["engine"] == "vllm"
    assert found["generation"]["figures"]["tokens_per_second"] > 50
    assert found["adapter"]["figures"]["with_adapter"] < 0.15
    assert found["NF4"]["figures"]["step_seconds"] > 0
    assert result.stderr.count("running") == len(doctor.TRIED)  # progress, on stderr alone


def test_what_is_broken_is_named_and_the_rest_skipped(demo: Demo, tmp_path: Path) -> None:
    """A models folder that cannot be made: the stack works, the model does not, and nothing after it is tried."""
    (tmp_path / "models").write_text("in the way", encoding="utf-8")
    result = grouper(tmp_path, "doctor", "--json")
    found = {check["name"]: check for check in json.loads(result.stdout)["checks"]}
    assert result.returncode == 1
    assert found["training stack"]["state"] == "ok"
    assert found["built-in model"]["state"] == "failed"
    assert found["engine"]["state"] == "skipped"


def test_who_stops_listening_leaves_no_program_behind(demo: Demo) -> None:
    checks = doctor.examine(demo.settings)
    for check in checks:
        if check.name == "training stack":
            break
    running = [p for p in psutil.Process().children(recursive=True) if "core.worker.self_test" in " ".join(p.cmdline())]
    assert len(running) == 1
    checks.close()  # type: ignore[attr-defined]
    assert not running[0].is_running() or running[0].status() == psutil.STATUS_ZOMBIE
