"""The lock alone, as on kernels whose Landlock knows less, and bubblewrap's enclosure without any lock."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from sandbox_support import HAD, HOSTILE, every_lock

from core.settings import PROJECT, load_settings
from core.tasks.sandbox.enclosure import SYSTEM, Limits, launch
from core.tasks.sandbox.levels import BUBBLEWRAP, LOCKED, Level
from core.tasks.sandbox.lock import landlock_version

LOCKS_ITSELF = """
import importlib, json, sys
from core.tasks.sandbox.lock import lock

newest, hostile, name, readable, fields = json.loads(sys.argv[1])
sys.path.insert(0, hostile)
reward = importlib.import_module(name).reward
lock(readable, (), forking=False, enclosed=False, newest=newest)
print(*reward(["a"], log_extra=lambda *pair: print(*pair, file=sys.stderr), **fields))
"""
VERSIONS = [version for version in (1, 2, 3, 5) if version < landlock_version()]


@pytest.mark.skipif(LOCKED not in HAD, reason="needs Landlock")
@pytest.mark.parametrize("newest", VERSIONS)
@pytest.mark.parametrize(
    "name",
    ["empties_files", "file_attributes", "symlinks", "signals_by_files", "kills_another", "system_calls", "namespaces"],
)
def test_on_older_kernels_the_lock_holds_as_well(name: str, newest: int, tmp_path: Path) -> None:
    """The process stays the user that the files belong to, so that only the lock is in the way."""
    shown, hidden = tmp_path / "shown", tmp_path / "hidden"
    for folder in (shown, hidden):
        folder.mkdir()
        (folder / "canary.txt").write_text("CANARY")
    (hidden / "link").symlink_to(hidden / "canary.txt")
    readable = [*launch(LOCKED, Limits(), tmp_path, (), "").confinement["readable"], str(shown)]
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as victim:
        paths = {"canary": "canary.txt", "link": "link", "outside": "."}
        fields = {column: [str(hidden / path)] for column, path in paths.items()}
        fields |= {"readable": [str(shown / "canary.txt")], "victim": [victim.pid]}
        asked = json.dumps([newest, str(HOSTILE), name, readable, fields])
        command = [sys.executable, "-B", "-c", LOCKS_ITSELF, asked]
        said = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=30)
        alive = victim.poll() is None
        victim.kill()
    assert (said.stdout, alive) == ("0.0\n", True), said.stderr
    assert {(folder / "canary.txt").read_text() for folder in (shown, hidden)} == {"CANARY"}


WRITES_EVERYWHERE = """
import os
made = []
for place, folders, _ in os.walk("/"):
    folders[:] = [] if place == "/usr" else folders
    for attempt in (
        lambda: open(os.path.join(place, "grouper-hostile"), "x"),
        lambda: os.mkdir(os.path.join(place, "grouper-hostile-folder")),
    ):
        try:
            attempt()
            made.append(place)
        except OSError:
            continue
print(made)
"""


@pytest.mark.skipif(BUBBLEWRAP not in HAD, reason="needs bubblewrap")
def test_in_the_enclosure_no_folder_can_be_written_even_without_a_lock(tmp_path: Path) -> None:
    start = launch(BUBBLEWRAP, Limits(), tmp_path, (str(tmp_path),), "")
    command = [*start.command[:-1], "-c", WRITES_EVERYWHERE]
    said = subprocess.run(command, env=start.environment, capture_output=True, text=True, timeout=60)
    assert said.stdout == "[]\n", said
    assert not (tmp_path / "grouper-hostile").exists()


@every_lock
def test_what_stays_readable_is_pythons_the_systems_and_what_the_child_needs(level: Level, tmp_path: Path) -> None:
    confinement = launch(level, Limits(), tmp_path, (str(tmp_path / "needed"),), "").confinement
    prefixes = {os.path.realpath(prefix) for prefix in (sys.prefix, sys.base_prefix)} | {sys.prefix, sys.base_prefix}
    for path in map(Path, confinement["readable"]):
        of_python = path.parent in map(Path, prefixes) and path.name in ("bin", "lib", "lib64", "pyvenv.cfg")
        assert of_python or str(path) in SYSTEM
        for closed in (load_settings().home, Path.home(), PROJECT):
            assert not closed.is_relative_to(path)
