"""A child from its start to its end: consent, what it is given, what it can use, what it leaves."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from sandbox_support import HAD, HOSTILE, box_around, every_level, every_lock, frame, left_over

from core.errors import InvalidInput, NotFound
from core.settings import PROJECT
from core.tasks.sandbox.box import Box
from core.tasks.sandbox.failures import Died, Refused, TimedOut
from core.tasks.sandbox.levels import LEVELS, PLAIN, Level
from core.tasks.sandbox.probe import best_level, missing, probe
from core.tasks.sandbox.scorer import SandboxedScorer
from core.tasks.sandbox.sources import Library, own_file

ECHO = """
import os, sys

def reward(completions, **kwargs):
    return [1.0] * len(completions)

def environment(completions, log_extra, **kwargs):
    log_extra("names", [", ".join(sorted(os.environ))] * len(completions))
    log_extra("hash", [hash("text")] * len(completions))
    return [1.0] * len(completions)
"""


def test_without_consent_plain_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rewards.py").write_text(ECHO)
    with pytest.raises(InvalidInput, match="or agree to run it without protection"):
        Box(own_file(tmp_path / "rewards.py"), PLAIN)


def test_the_best_level_that_works_is_found() -> None:
    assert probe() == HAD[0]
    assert probe() == best_level(allow_plain=True)
    assert missing(PLAIN) == ""
    for level in LEVELS:
        assert (level in HAD) == (missing(level) == "")


def test_every_level_says_what_it_does_and_what_not() -> None:
    for level in LEVELS:
        assert all(text.endswith(".") for text in (*level.protects, *level.exposes))
    assert "lies" in " ".join(PLAIN.exposes)
    assert not set(PLAIN.protects) - set(LEVELS[0].protects)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        own_file(tmp_path / "none.py")


@every_level
def test_a_box_leaves_no_folder_no_process_and_no_open_file(level: Level, tmp_path: Path) -> None:
    before = {*Path(tempfile.gettempdir()).glob("grouper-box-*")}
    box = box_around(ECHO, tmp_path, level)
    box.start()
    opened = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        box.restart()
    assert len(os.listdir("/proc/self/fd")) == opened
    box.close()
    box.close()
    assert {*Path(tempfile.gettempdir()).glob("grouper-box-*")} == before
    assert box.starts == 4


LEAVES = """
import ctypes, os, tempfile
from multiprocessing import shared_memory

def reward(completions, token, **kwargs):
    name, left = f"grouper-left-{token[0]}", 0
    attempts = (
        lambda: shared_memory.SharedMemory(name, create=True, size=64),
        lambda: tempfile.mkdtemp(prefix=name),
        lambda: tempfile.mkdtemp(prefix=name, dir="/dev/shm"),
        lambda: tempfile.mkdtemp(prefix=name, dir=os.getcwd()),
        lambda: os.fork() or os.setsid() or os.execv("/bin/sleep", [name, "60"]),
    )
    for attempt in attempts:
        try:
            attempt()
            left += 1
        except OSError:
            continue
    ctypes.CDLL(None).shmget(0x67727570, 4096, 0o1600)
    return [float(left)] * len(completions)
"""


@every_lock
def test_no_process_no_file_and_no_shared_memory_outlive_a_box(level: Level, tmp_path: Path) -> None:
    token, segments = tmp_path.name, Path("/proc/sysvipc/shm")
    with box_around(LEAVES, tmp_path, level) as box:
        scored = SandboxedScorer(box).score([frame("a", token=token)], ["reward"])
    assert [outcome.value for outcome in scored.outcomes["reward"]] == [0.0], scored
    assert left_over() == []
    assert not [path for place in ("/tmp", "/dev/shm", "/var/tmp") for path in Path(place).glob("grouper-left-*")]
    assert not segments.exists() or str(0x67727570) not in segments.read_text()


@every_level
def test_what_a_child_prints_is_fit_for_a_page(level: Level, tmp_path: Path) -> None:
    box = box_around((HOSTILE / "odd_text.py").read_text(), tmp_path, level)
    with box:
        SandboxedScorer(box).score([frame("a")], ["reward"])
    assert box.printed.head.startswith(r"\x1b]0;owned\x07\x1b[2J\x1b[31mall is well\x00")
    assert box.printed.head.isprintable()


@every_level
def test_the_child_has_an_environment_of_its_own(level: Level, tmp_path: Path) -> None:
    hashes = set()
    for _ in range(2):
        with box_around(ECHO, tmp_path, level) as box:
            scored = SandboxedScorer(box).score([frame("a")], ["environment"])
        names = str(scored.extra["names"][0]).split(", ")
        hashes.add(scored.extra["hash"])
    allowed = {"GROUPER_BOX", "HOME", "LANG", "LC_CTYPE", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "PATH", "PWD"}
    assert {*names} <= allowed | {"PYTHONHASHSEED"}
    assert len(hashes) == 1


@every_lock
def test_under_a_lock_root_is_another_user(level: Level, tmp_path: Path) -> None:
    with box_around(ECHO, tmp_path, level) as box:
        assert box.facts["uid"] == os.getuid() if os.getuid() else box.facts["uid"] != 0
        assert box.facts["landlock"] >= 1


LIBRARIES = """
import asyncio, concurrent.futures, decimal, tempfile, zoneinfo

def numbers(completions, **kwargs):
    import numpy
    numpy.random.rand(300, 300) @ numpy.random.rand(300, 300)
    return numpy.arange(len(completions), dtype=numpy.float32)

def threads(completions, **kwargs):
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        return list(pool.map(lambda completion: float(len(completion)), completions))

async def loops(completions, **kwargs):
    inside = await asyncio.gather(*(asyncio.to_thread(len, completion) for completion in completions))
    return [decimal.Decimal(number) for number in inside]
"""


@every_level
def test_numpy_threads_and_event_loops_work_inside(level: Level, tmp_path: Path) -> None:
    with box_around(LIBRARIES, tmp_path, level) as box:
        scorer = SandboxedScorer(box)
        for function, wanted in (("numbers", [0.0, 1.0]), ("threads", [1.0, 1.0]), ("loops", [1.0, 1.0])):
            scored = scorer.score([frame("a", "b")], [function])
            assert [outcome.value for outcome in scored.outcomes[function]] == wanted, scored


@every_level
def test_calls_that_fail_say_how_and_the_next_starts_anew(level: Level, tmp_path: Path) -> None:
    with box_around("import os, time\ndef reward(completions, **kwargs):\n    pass\n", tmp_path, level) as box:
        with pytest.raises(Refused):
            box.call({"do": "nothing of this name"}, 5.0)
        assert box.starts == 1
        assert box.call({"do": "functions"}, 5.0)["functions"]
        assert box.starts == 1
    with box_around("import os\n\ndef reward(completions, **kwargs):\n    os._exit(9)\n", tmp_path, level) as box:
        asked = {"completions": ["a"], "completion_ids": [[]], "prompt": [], "fields": {}}
        request = {"do": "score", "function": "reward", "form": "chat", "frames": [asked], "state": {}, "seed": ""}
        for count in (1, 2):
            with pytest.raises(Died) as died:
                box.call(request, 5.0)
            assert died.value.code == 9
            assert box.starts == count


def test_a_request_larger_than_any_pipe_arrives_and_is_given_up_in_time(tmp_path: Path) -> None:
    source = "import time\n\ndef reward(completions, **kwargs):\n    time.sleep(3600 * (len(completions) == 2))\n"
    with box_around(source + "    return [1.0] * len(completions)\n", tmp_path) as box:
        scored = SandboxedScorer(box, form="text").score([frame("x" * (5 << 20))], ["reward"])
        assert scored.counts == {"scored": 1}
        large = {"completions": ["x" * (5 << 20)] * 2, "completion_ids": [[], []], "prompt": [], "fields": {}}
        with pytest.raises(TimedOut):
            box.call(
                {"do": "score", "function": "reward", "form": "text", "frames": [large], "state": {}, "seed": ""}, 0.5
            )


@pytest.mark.parametrize("builder", ["os:system", "core.settings:load_settings", "core.tasks.x", "core.tasks..x:y"])
def test_functions_outside_the_tasks_are_not_built(builder: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="not one of"):
        Box(Library(builder, {}), PLAIN, allow_plain=True).start()


BUILDER = '''
"""Scorers from specs."""

from core.tasks.rewards.reward import between_tags


def build(spec):
    if spec == {"kind": "unknown"}:
        raise ValueError("no such kind")
    factor = spec["factor"]
    return lambda text, fields: None if between_tags(text, "answer") is None else factor * fields["answer"]
'''
ASKED = """
import sys
from core.tasks.sandbox.box import Box
from core.tasks.sandbox.levels import LEVELS
from core.tasks.sandbox.scorer import Frame, SandboxedScorer
from core.tasks.sandbox.sources import Library

for level in LEVELS:
    if level.name in sys.argv[1:]:
        source = Library("core.tasks.rewards.of_this_test:build", {"double": {"factor": 2}})
        with Box(source, level, allow_plain=True) as box:
            frames = [Frame((), ("<answer>4</answer>", "4"), {"answer": 4}), Frame((), ("<answer></answer>",), {})]
            outcomes = SandboxedScorer(box).score(frames, ["double"]).outcomes["double"]
            print([outcome.value if outcome.error is None else outcome.error for outcome in outcomes])
"""


def test_functions_of_this_project_are_built_inside(tmp_path: Path) -> None:
    shutil.copytree(
        PROJECT / "core", tmp_path / "core", ignore=shutil.ignore_patterns("__pycache__", "worker", "store")
    )
    (tmp_path / "core/tasks/rewards/of_this_test.py").write_text(BUILDER)
    command = [sys.executable, "-c", ASKED, *(level.name for level in HAD)]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    said = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert said.stdout.splitlines() == ["[8.0, None, \"KeyError: 'answer'\"]"] * len(HAD), said.stderr


AS_A_USER = """
import sys
from pathlib import Path
from core.tasks.sandbox.box import Box
from core.tasks.sandbox.levels import LEVELS
from core.tasks.sandbox.probe import missing
from core.tasks.sandbox.scorer import Frame, SandboxedScorer
from core.tasks.sandbox.sources import own_file

for level in LEVELS:
    if missing(level) or not level.locked:
        continue
    for name in sys.argv[2:]:
        with Box(own_file(Path(sys.argv[1], f"{name}.py")), level) as box:
            files = dict.fromkeys(("canary", "link", "readable"), "/etc/passwd")
            frame = Frame((), ("a",), {**files, "victim": 1, "outside": "/var/tmp"})
            print(level.name, name, SandboxedScorer(box).score([frame], ["reward"]).outcomes["reward"][0])
"""


@pytest.mark.skipif(os.getuid() != 0 or shutil.which("setpriv") is None, reason="only root can become another user")
def test_the_lock_holds_for_an_ordinary_user_too() -> None:
    names = [
        "fork_bomb",
        "canary_file",
        "writes_outside",
        "file_attributes",
        "kills_another",
        "symlinks",
        "empties_files",
    ]
    become = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    # Python may lie in root's home; the right to read it survives this way, and the lock takes it again.
    become += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    hostile = str(Path(__file__).parent / "hostile")
    said = subprocess.run(
        [*become, sys.executable, "-B", "-c", AS_A_USER, hostile, *names],
        cwd=PROJECT,
        env={"PATH": os.environ["PATH"], "HOME": "/"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    lines = said.stdout.splitlines()
    assert said.returncode == 0, said.stderr
    assert len(lines) >= len(names)
    assert all(line.endswith("Outcome(value=0.0, error=None)") for line in lines), lines
