"""The doctor without the training stack: what it reads, what it makes of a broken database or a dead program."""

import json
import sqlite3
from pathlib import Path

import pytest

from core.cli.main import main
from core.config import make_config
from core.installation import stack_report
from core.jobs import doctor
from core.processes import identify
from core.settings import Settings, load_settings
from core.store import Database
from core.store.runs import lifecycle


def by_name(checks: list[doctor.Check]) -> dict[str, doctor.Check]:
    return {check.name: check for check in checks}


def test_looking_takes_a_moment_and_says_what_is_here(settings: Settings) -> None:
    found = by_name(list(doctor.examine(settings, quick=True)))
    assert list(found) == ["installation", "device", "memory", "disk", "database"]
    assert found["database"].state == "ok"
    assert sum(check.seconds for check in found.values()) < 5
    document = doctor.report(settings, list(found.values()))
    assert {"healthy", "sentence", "checks", "versions", "known_failures"} == set(document)
    assert [known["kind"] for known in document["known_failures"][:4]] == [
        "out-of-memory-sampling", "slow-generation", "engine-missing", "adapter-not-live",
    ]  # fmt: skip
    assert {"python", "device"} <= set(document["versions"])


def test_a_damaged_database_is_found(settings: Settings, database: Database) -> None:
    with database.writing() as connection:
        for number in range(200):
            lifecycle.enqueue(connection, make_config({"model": "smollm2-135m", "recipe": "addition", "seed": number}))
    database.close()
    with sqlite3.connect(database.path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    content = bytearray(database.path.read_bytes())
    for page in range(20, len(content) // 4096 - 1):
        content[page * 4096 : page * 4096 + 64] = b"\xff" * 64
    database.path.write_bytes(content)
    check = by_name(list(doctor.examine(settings, quick=True)))["database"]
    assert check.state == "failed"
    assert check.remedy


def test_a_file_that_is_no_database(settings: Settings) -> None:
    settings.home.mkdir(parents=True)
    (settings.home / "grouper.db").write_bytes(b"not a database at all" * 100)
    assert by_name(list(doctor.examine(settings, quick=True)))["database"].state == "failed"


def test_a_running_run_keeps_its_device(settings: Settings, database: Database) -> None:
    with database.writing() as connection:
        run = lifecycle.enqueue(connection, make_config({"model": "smollm2-135m", "recipe": "addition"}), name="busy")
        lifecycle.claim(connection, run.id, identify())
    found = by_name(list(doctor.examine(settings)))
    tried = [found[name] for name, _ in doctor.TRIED]
    assert {check.state for check in tried} == {"skipped"}
    if stack_report().can_train:
        assert "busy is using the device" in tried[0].message


def test_the_command_prints_one_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GROUPER_HOME", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["grouper", "doctor", "--quick", "--json"])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    document = json.loads(said.out)
    assert ended.value.code == (0 if document["healthy"] else 1)
    assert "database" in said.err
    assert load_settings({"GROUPER_HOME": str(tmp_path)}).home.is_dir()
