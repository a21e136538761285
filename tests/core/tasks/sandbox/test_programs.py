"""Programs that a model wrote: what they print and how they end, and that nothing of them stays."""

import subprocess
from pathlib import Path

import pytest
from sandbox_support import HOSTILE, every_level, every_lock, left_over

from core.errors import InvalidInput
from core.tasks.sandbox.levels import PLAIN, Level
from core.tasks.sandbox.programs import Finished, run_program


def run(source: str, level: Level, stdin: str = "", seconds: float = 5.0) -> Finished:
    return run_program(source, stdin, seconds, level=level, allow_plain=True)


@every_level
def test_a_program_reads_and_prints(level: Level) -> None:
    finished = run("import sys\nprint(int(input()) * 2)\nprint('late', file=sys.stderr)\n", level, "21\n")
    assert (finished.exit_code, finished.stdout, finished.stderr, finished.killed) == (0, "42\n", "late\n", False)


@every_level
@pytest.mark.parametrize(
    ("source", "code", "said"),
    [
        ("assert 1 + 1 == 3, 'wrong'", 1, "AssertionError: wrong"),
        ("def f(:", 1, "SyntaxError"),
        ("import sys\nsys.exit(5)", 5, ""),
        ("import os\nos._exit(6)", 6, ""),
        ("x = bytearray(3 << 30)", 1, "MemoryError"),
        (
            "from dataclasses import dataclass\n@dataclass\nclass A:\n    x: 'int' = 1\nassert A().x == 1\n"
            "assert __name__ == '__main__'",
            0,
            "",
        ),
    ],
)
def test_how_it_ended_is_told(source: str, code: int, said: str, level: Level) -> None:
    finished = run(source, level)
    assert finished.exit_code == code, finished
    assert said in finished.stderr
    assert not finished.killed


@every_level
def test_a_program_without_end_is_ended(level: Level) -> None:
    finished = run("print('begun', flush=True)\nwhile True: pass", level, seconds=0.7)
    assert finished.killed
    assert finished.stdout == "begun\n"
    assert finished.seconds < 2
    assert finished.exit_code in (-9, 137)


@every_level
def test_what_it_prints_without_end_is_cut(level: Level) -> None:
    finished = run("while True: print('x' * 9999)", level, seconds=0.7)
    assert finished.killed
    assert len(finished.stdout) == 1 << 20


@every_level
def test_input_that_is_not_read_and_pipes_that_are_closed_stop_nothing(level: Level) -> None:
    source = "import os\nos.close(0)\nos.close(1)\nos.close(2)\nos._exit(0)"
    assert run(source, level, "x" * (1 << 20)).exit_code == 0


FORKS = """
import os
read, write = os.pipe()
if os.fork() == 0:
    os.write(write, b"from the child")
    os._exit(0)
os.wait()
print(os.read(read, 100).decode())
"""
MANY = """
import os, time
children = 0
try:
    while children < 30:
        if os.fork() == 0:
            time.sleep(60)
        children += 1
except OSError:
    pass
print(children, flush=True)
time.sleep(60)
"""


@every_lock
def test_it_may_start_processes_but_few_and_none_stays(level: Level) -> None:
    assert run(FORKS, level).stdout == "from the child\n"
    finished = run(MANY, level, seconds=0.6)
    assert 1 <= int(finished.stdout) <= 8
    assert left_over() == []


@every_lock
@pytest.mark.parametrize(
    "source",
    [
        "import os; os.setsid()",
        "import subprocess; subprocess.run(['/bin/true'])",
        "import socket; socket.socket()",
        "open('/tmp/grouper-program-was-here', 'w')",
        "open('/etc/passwd')",
        "import os; os.kill(1, 0)",
    ],
)
def test_the_rest_of_the_machine_is_closed_to_it(source: str, level: Level) -> None:
    finished = run(source, level)
    assert finished.exit_code == 1
    assert "PermissionError" in finished.stderr or "Read-only" in finished.stderr or "FileNotFound" in finished.stderr
    assert not Path("/tmp/grouper-program-was-here").exists()


@every_lock
def test_it_can_make_itself_no_world_of_its_own(level: Level) -> None:
    finished = run((HOSTILE / "namespaces.py").read_text() + "\nprint(made())\n", level)
    assert (finished.exit_code, finished.stdout) == (0, "[]\n"), finished


@every_lock
def test_it_has_no_other_process_signalled(level: Level) -> None:
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as victim:
        source = (HOSTILE / "signals_by_files.py").read_text()
        finished = run(f"{source}\nprint(reward(['a'], [{victim.pid}]))\n", level)
        alive = victim.poll() is None
        victim.kill()
    assert (finished.stdout, alive) == ("[0.0]\n", True), finished


def test_without_consent_plain_is_refused() -> None:
    with pytest.raises(InvalidInput, match="without protection"):
        run_program("", level=PLAIN)
