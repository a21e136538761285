"""Runs that are killed, interrupted, starved of disk and locked out, one fault each, and what becomes of them.

    PYTHONPATH=.:tests python tests/faults/campaign.py [--kills 30 --web 10 --signals 10 --full 5 --locked 5 --seed 0]

After every fault: all completions of every recorded step are there, no process of the run is left when it has ended,
and the run comes to its end with the very completions and adapter of a run that nothing happened to. The last line is
`N faults, M recovered, K completions lost`.
"""

import argparse
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
from dashboard_support import serving
from faults_support import left_of, log_of, newest, wait_for_end, wait_for_log
from runs_support import BATCH, STEPS, contents, resume, start
from tiny_support import save_tiny

from core.records.run import Run
from core.records.status import RunStatus
from core.settings import Settings

LOADING = ("find model", "read weights", "attach adapter", "prepare data", "try packing", "prove adapter live")
LOCKED_S, FULL_S = 33.0, 6.0
MIB = 2**20
Fault = Callable[["Campaign", Settings, Run], None]


class Campaign:
    """One model, one undisturbed run to compare with, and a folder a fault."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder, self.chance = folder, random.Random(seed)
        self._model = save_tiny(folder / "model")
        settings, _ = start(folder / "whole", self._model)
        self._whole = contents(settings, wait_for_end(settings))
        self.made = self.recovered = self.lost = 0

    def inflict(self, name: str, fault: Fault, home: Path | None = None, by_web: bool = False) -> bool:
        """One run with one fault; says what became of it."""
        self.made += 1
        settings, run = start(home or self._folder / f"{self.made:03d}", self._model, by_web)
        try:
            fault(self, settings, run)
            self._recover(settings, run)
            outcome = "recovered"
            self.recovered += 1
        except BaseException as error:
            outcome = f"NOT recovered: {type(error).__name__}: {str(error)[-600:]}"
            if isinstance(error, KeyboardInterrupt):
                raise
        finally:
            self.lost += missing(settings, run)
        say(f"{self.made:3} {name}: {outcome}")
        return outcome == "recovered"

    def _recover(self, settings: Settings, run: Run) -> None:
        ended = wait_for_end(settings)
        assert left_of(ended) == []
        if ended.status is not RunStatus.COMPLETED:
            resume(settings, run)
            ended = wait_for_end(settings)
        assert ended.status is RunStatus.COMPLETED, log_of(settings, run)[-800:]
        assert left_of(ended) == []
        found = contents(settings, run)
        for name, value in self._whole.items():
            assert found[name] == value, f"{name} differs from the undisturbed run's"

    def verdict(self) -> str:
        return f"{self.made} faults, {self.recovered} recovered, {self.lost} completions lost"


def missing(settings: Settings, run: Run) -> int:
    """Completions of recorded steps that are not there."""
    found = contents(settings, run, adapter=False)
    return len(found["steps"]) * BATCH - len(found["sampled"])


def at_a_random_moment(campaign: Campaign, settings: Settings, run: Run) -> int:
    """Waits for one and returns the worker's pid."""
    moments = [f"{phase}: about" for phase in LOADING] + [f"step {step}/{STEPS}" for step in range(1, STEPS - 1)]
    wait_for_log(settings, run, campaign.chance.choice(moments))
    time.sleep(campaign.chance.uniform(0.0, 0.2))
    process = newest(settings).process
    assert process is not None
    return process.pid


def kill(campaign: Campaign, settings: Settings, run: Run) -> None:
    with suppress(ProcessLookupError):
        os.kill(at_a_random_moment(campaign, settings, run), signal.SIGKILL)


def terminate(campaign: Campaign, settings: Settings, run: Run) -> None:
    with suppress(ProcessLookupError):
        os.kill(at_a_random_moment(campaign, settings, run), campaign.chance.choice([signal.SIGTERM, signal.SIGINT]))


def lock(campaign: Campaign, settings: Settings, run: Run) -> None:
    """Another process holds the database for longer than anybody waits for it."""
    at_a_random_moment(campaign, settings, run)
    with closing(sqlite3.connect(settings.home / "grouper.db", isolation_level=None, timeout=60)) as other:
        other.execute("BEGIN IMMEDIATE")
        time.sleep(LOCKED_S)
        other.execute("ROLLBACK")


def fill(campaign: Campaign, settings: Settings, run: Run) -> None:
    """The disk is full for a while and then is not."""
    at_a_random_moment(campaign, settings, run)
    filler = settings.home.parent / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(MIB) if shutil.disk_usage(filler).free > MIB else bytes(4096))
    time.sleep(FULL_S)
    filler.unlink()


def kill_web(campaign: Campaign, settings: Settings, run: Run) -> None:
    """The dashboard that started the worker dies while it works, and another one takes over."""
    with suppress(ChildProcessError), serving(settings.home) as _address:
        at_a_random_moment(campaign, settings, run)
        for child in children("app.py"):
            os.kill(child, signal.SIGKILL)
    with serving(settings.home):
        wait_for_end(settings)


def children(program: str) -> list[int]:
    return [child.pid for child in psutil.Process().children() if program in " ".join(child.cmdline())]


@contextmanager
def small_disk() -> Iterator[Path | None]:
    """A file system of 700 MiB, mounted for real; None where this user may not."""
    folder = Path(tempfile.mkdtemp())
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=700m", "tmpfs", folder], capture_output=True)
    try:
        yield folder if mounted.returncode == 0 else None
    finally:
        if mounted.returncode == 0:
            subprocess.run(["umount", "-l", folder], check=True)
        shutil.rmtree(folder, ignore_errors=True)


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main(arguments: Any) -> int:
    with tempfile.TemporaryDirectory() as folder:
        campaign = Campaign(Path(folder), arguments.seed)
        for _ in range(arguments.kills):
            campaign.inflict("kill -9 of the worker", kill)
        for _ in range(arguments.web):
            campaign.inflict("kill -9 of the web process", kill_web, by_web=True)
        for _ in range(arguments.signals):
            campaign.inflict("terminate or interrupt", terminate)
        for number in range(arguments.full):
            with small_disk() as disk:
                if disk is None:
                    say("    no small disk: this user may not mount one")
                    break
                campaign.inflict("disk full", fill, home=disk / f"home{number}")
        for _ in range(arguments.locked):
            campaign.inflict("database locked", lock)
        say(campaign.verdict())
        return 0 if campaign.recovered == campaign.made and campaign.lost == 0 else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, count in (("kills", 30), ("web", 10), ("signals", 10), ("full", 5), ("locked", 5), ("seed", 0)):
        parser.add_argument(f"--{name}", type=int, default=count)
    sys.exit(main(parser.parse_args()))
