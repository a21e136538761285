"""Files that mean harm, each tried under every level that this machine has. What must be seen stands in the tables.

A file of `hostile/` scores how much of what it tried worked, so that 0 is "all was refused".
"""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sandbox_support import HAD, HOSTILE, every_level, every_lock, left_over

from core.settings import PROJECT, load_settings
from core.tasks.sandbox.box import Box
from core.tasks.sandbox.levels import PLAIN, Level
from core.tasks.sandbox.scored import Scored
from core.tasks.sandbox.scorer import Frame, Patience, SandboxedScorer
from core.tasks.sandbox.sources import own_file

PATIENCE = Patience(group=1.0, completion=0.4, step=20.0)
SHORT = Patience(group=0.2, step=20.0)  # where all that is to be seen is that the time ends
WAITING = ("infinite_loop", "ignores_sigterm", "sleeps_in_async", "slow_import")

# What these try is refused wherever the child is locked.
REFUSED = (
    *("fork_bomb", "fork_in_import", "daemon", "other_program", "environment_of_another", "environment_of_parent"),
    *("own_environment", "canary_file", "symlinks", "tcp_to_loopback", "abstract_socket", "socket_file"),
    *("writes_outside", "writes_into_packages", "fills_its_folder", "rewrites_itself", "own_memory", "devices"),
    *("kills_another", "limits_another", "file_attributes", "system_calls", "empties_files", "signals_by_files"),
    *("namespaces", "state_and_home"),
)
# How these end, under every level: what is said of each completion, as part of the reason there is no score.
UNSCORED = {
    "infinite_loop": "took longer than 0.2 s",
    "ignores_sigterm": "took longer than 0.2 s",
    "sleeps_in_async": "took longer than 0.2 s",
    "slow_import": "could not be loaded: it took longer than 0.5 s",
    "huge_allocation": "MemoryError",
    "exits_hard": "the process ended with exit code 3",
    "exits_in_import": "SystemExit: 0 (exits_in_import.py, line 5)",
    "exits_hard_in_import": "the process ended with exit code 7, after printing 'something was missing'",
    "kills_itself": "the process was ended by SIGKILL",
    "odd_text": r"ValueError: \x1b[31mred\x1b[0m \u202eecalp rehtona\u202c  \x00xxx",
    "raises": "ValueError: no such answer (raises.py, line 5)",
    "raises_without_words": "Silent (raises_without_words.py, line 10)",
    "raises_exit": "KeyboardInterrupt",
    "wrong_length": "returned 1 scores for 2 completions",
    "one_number": "returned a value of type float instead of a list of scores",
    "wrong_types": "instead of a number",
    "not_finite": "returned ",
    "beyond_floats": "returned a value of type int that is no number",
    "cannot_be_imported": "ModuleNotFoundError: No module named 'nothing_that_is_installed'",
    "closes_everything": "",
    "junk_on_the_pipe": "no answer",
    "junk_in_import": "sign of being ready",
    "forged_reply": "answered something that it was not asked",
    "deep_reply": "",
    "says_too_much": "the answer has more than 8 MiB",
    "endless_recursion": "",
    "thread_bomb": "",
}
SCORED = {"prints_much": 0.5, "replaces_json": 0.5, "endless_threads": 0.5, "does_not_apply": None}
KILLED_BY_THE_LOCK = ("second_numbering",)
KNOWN = ("canary.txt", "outside", "link")


def test_every_hostile_file_is_tried() -> None:
    tried = {*REFUSED, *UNSCORED, *SCORED, *KILLED_BY_THE_LOCK}
    assert tried == {path.stem for path in HOSTILE.glob("*.py")}


@dataclass
class World:
    """What there is to be harmed."""

    canary: Path
    victim: subprocess.Popen[bytes]
    fields: dict[str, Any]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    canary, outside = tmp_path / "canary.txt", tmp_path / "outside"
    canary.write_text("CANARY")
    canary.chmod(0o644)
    outside.mkdir()
    (tmp_path / "link").symlink_to(canary)
    name = f"grouper-canary-{secrets.token_hex(4)}"
    victim = subprocess.Popen(["sleep", "60"], env={"TOKEN": "CANARY"}, start_new_session=True)
    # A path of a socket has 107 bytes at most.
    file = f"/tmp/{name}"
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.socket(socket.AF_UNIX) as abstract,
        socket.socket(socket.AF_UNIX) as in_file,
    ):
        abstract.bind(f"\0{name}")
        in_file.bind(file)
        abstract.listen()
        in_file.listen()
        fields = {
            **{"canary": str(canary), "readable": str(canary), "link": str(tmp_path / "link"), "outside": str(outside)},
            **{"port": server.getsockname()[1], "name": name, "socket_file": file, "victim": victim.pid},
            "folders": [str(load_settings().home), str(Path.home()), str(PROJECT), str(PROJECT / "core"), "/", "/tmp"],
        }
        yield World(canary, victim, fields)
    os.unlink(file)
    victim.kill()
    victim.wait()


def score(name: str, level: Level, fields: dict[str, Any], folder: Path) -> tuple[Scored, Box]:
    """Completions, one where it only waits, scored by a hostile file that the dashboard could have been given."""
    own = folder / f"{name}.py"
    own.write_bytes((HOSTILE / f"{name}.py").read_bytes())
    box = Box(own_file(own), level, allow_plain=True, start_seconds=0.5 if name == "slow_import" else 20.0)
    completions = ("a",) if name in WAITING else ("a", "b")
    frame = Frame(({"role": "user", "content": "?"},), completions, fields)
    try:
        return SandboxedScorer(box, patience=SHORT if name in WAITING else PATIENCE).score([frame], ["reward"]), box
    finally:
        box.close()


def unharmed(world: World, folder: Path, name: str) -> None:
    """Nothing outside changed, and nobody is left."""
    assert world.victim.poll() is None
    assert world.canary.read_text() == "CANARY"
    assert (world.canary.stat().st_mode & 0o777, world.canary.stat().st_uid) == (0o644, os.getuid())
    assert [path.name for path in folder.iterdir() if path.name not in KNOWN] == [f"{name}.py"]
    assert [*(folder / "outside").iterdir()] == []
    assert (folder / f"{name}.py").read_bytes() == (HOSTILE / f"{name}.py").read_bytes()


@every_lock
@pytest.mark.parametrize("name", REFUSED)
def test_what_they_try_is_refused(name: str, level: Level, world: World, tmp_path: Path) -> None:
    scored, _ = score(name, level, world.fields, tmp_path)
    assert [(outcome.value, outcome.error) for outcome in scored.outcomes["reward"]] == [(0.0, None)] * 2, scored
    unharmed(world, tmp_path, name)
    assert left_over() == []


@every_level
@pytest.mark.parametrize("name", UNSCORED)
def test_what_goes_wrong_is_named_and_never_zero(name: str, level: Level, world: World, tmp_path: Path) -> None:
    scored, _ = score(name, level, world.fields, tmp_path)
    for outcome in scored.outcomes["reward"]:
        assert outcome.value is None
        assert outcome.error is not None
        assert UNSCORED[name] in outcome.error
        assert outcome.error.isprintable()
        assert len(outcome.error) <= 600
    unharmed(world, tmp_path, name)
    assert left_over() == []


@every_level
@pytest.mark.parametrize("name", SCORED)
def test_what_does_no_harm_is_scored(name: str, level: Level, world: World, tmp_path: Path) -> None:
    scored, box = score(name, level, world.fields, tmp_path)
    assert [(outcome.value, outcome.error) for outcome in scored.outcomes["reward"]] == [(SCORED[name], None)] * 2
    assert left_over() == []
    if name == "prints_much":
        assert box.printed.bytes == 64 * (1 << 20) + len("to the point\n")
        assert box.printed.head.startswith("to the point\nxxx")
        assert len(box.printed.head) == 64 << 10


@every_lock
@pytest.mark.parametrize("name", KILLED_BY_THE_LOCK)
def test_another_numbering_of_system_calls_ends_the_process(
    name: str, level: Level, world: World, tmp_path: Path
) -> None:
    scored, _ = score(name, level, world.fields, tmp_path)
    assert all("SIGSYS" in str(outcome.error) for outcome in scored.outcomes["reward"]), scored


@pytest.mark.parametrize("name", [name for name in REFUSED if name != "system_calls"])
def test_plain_promises_time_a_clean_environment_and_an_end(name: str, world: World, tmp_path: Path) -> None:
    begun = time.monotonic()
    scored, _ = score(name, PLAIN, world.fields, tmp_path)
    assert len(scored.outcomes["reward"]) == 2
    assert time.monotonic() - begun < 10
    assert left_over() == []
    if name == "own_environment":
        assert [outcome.value for outcome in scored.outcomes["reward"]] == [0.0, 0.0]
    assert (tmp_path / f"{name}.py").read_bytes() == (HOSTILE / f"{name}.py").read_bytes()


@pytest.mark.long
@every_level
def test_a_thousand_starts_leave_nothing(level: Level, tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(1000 // len(HAD)):
        score("exits_hard", level, {}, tmp_path)
    assert left_over() == []
    assert len(os.listdir("/proc/self/fd")) <= before + 2


def test_the_child_ends_with_the_process_that_asked(tmp_path: Path) -> None:
    """Also where it is deaf to its pipe and to signals, and the process had no time to clean up."""
    own = tmp_path / "ignores_sigterm.py"
    own.write_bytes((HOSTILE / "ignores_sigterm.py").read_bytes())
    program = (
        "import sys, threading, time\n"
        "from pathlib import Path\n"
        "from core.tasks.sandbox.box import Box\n"
        "from core.tasks.sandbox.levels import LEVELS\n"
        "from core.tasks.sandbox.sources import own_file\n"
        "for level in LEVELS:\n"
        "    if level.name in sys.argv[2:]:\n"
        "        box = Box(own_file(Path(sys.argv[1])), level, allow_plain=True)\n"
        "        box.start()\n"
        "        frame = {'prompt': [], 'completions': ['a'], 'completion_ids': [[]], 'fields': {}}\n"
        "        ask = {'do': 'score', 'function': 'reward', 'frames': [frame], 'form': 'chat', 'state': {}}\n"
        "        ask['seed'] = ''\n"
        "        threading.Thread(target=box.call, args=(ask, 60.0), daemon=True).start()\n"
        "time.sleep(0.3)\n"
        "print('asked', flush=True)\n"
        "sys.stdin.read()\n"
    )
    names = [level.name for level in HAD]
    asker = subprocess.Popen(
        [sys.executable, "-c", program, str(own), *names], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert asker.stdout is not None
    assert asker.stdin is not None
    with asker.stdout, asker.stdin:
        assert asker.stdout.readline() == b"asked\n"
        asker.send_signal(signal.SIGKILL)
        asker.wait()
    assert left_over() == []
