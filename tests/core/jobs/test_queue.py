"""Who gets which device, and what a worker then sees."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from core.config import make_config
from core.errors import InvalidInput
from core.installation import gpu_count
from core.jobs.queue import device_of, devices, next_start
from core.records.run import Run
from core.records.status import RunStatus
from core.settings import PROJECT, load_settings, worker_environment

PRESENT = ("cpu", "cuda:0", "cuda:1")


def run(name: str, gpu: str = "h100-80gb", device: str = "auto") -> Run:
    config = make_config({"model": "smollm2-135m", "recipe": "addition", "gpu": gpu, "device": device})
    return Run(name, name, RunStatus.QUEUED, config, 0.0)


def started(waiting: list[Run], busy: set[str], present: tuple[str, ...] = PRESENT) -> list[tuple[str, str]]:
    """Who starts where, until nobody can."""
    waiting, busy, order = [*waiting], {*busy}, []
    while (chosen := next_start(waiting, busy, present)) is not None:
        order.append((chosen[0].name, chosen[1]))
        waiting.remove(chosen[0])
        busy.add(chosen[1])
    return order


def test_every_device_takes_one_run() -> None:
    waiting = [run("a"), run("b"), run("c"), run("d", gpu="cpu"), run("e", gpu="cpu")]
    assert started(waiting, set()) == [("a", "cuda:0"), ("b", "cuda:1"), ("d", "cpu")]


def test_one_that_waits_for_its_gpu_holds_up_no_other() -> None:
    waiting = [run("picky", device="cuda:0"), run("any")]
    assert started(waiting, {"cuda:0"}) == [("any", "cuda:1")]
    assert started(waiting, set()) == [("picky", "cuda:0"), ("any", "cuda:1")]


def test_without_a_gpu_nothing_planned_for_one_starts() -> None:
    assert started([run("a"), run("b", gpu="cpu")], set(), ("cpu",)) == [("b", "cpu")]


def test_a_started_run_says_where_it_works() -> None:
    assert device_of(replace(run("a"), facts={"device": "cuda:1"})) == "cuda:1"
    assert device_of(run("b", gpu="cpu")) == "cpu"


@pytest.mark.parametrize(("device", "gpu"), [("cpu", "h100-80gb"), ("cuda:0", "cpu"), ("gpu 1", "h100-80gb")])
def test_a_device_that_contradicts_the_plan_is_refused(device: str, gpu: str) -> None:
    with pytest.raises(InvalidInput, match="device"):
        run("a", gpu, device)


@pytest.mark.parametrize(
    ("visible", "numbers"), [(None, None), ("", ()), ("-1", ()), ("0,2", (0, 2)), ("GPU-8f3a", None), (" 1 ", (1,))]
)
def test_what_the_environment_leaves(visible: str | None, numbers: tuple[int, ...] | None, tmp_path: Path) -> None:
    environ = {"GROUPER_HOME": str(tmp_path)} | ({} if visible is None else {"CUDA_VISIBLE_DEVICES": visible})
    assert load_settings(environ).visible_gpus == numbers


def test_the_gpus_are_those_that_nvidia_smi_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'NVIDIA L4, 23034 MiB'\necho 'NVIDIA L4, 23034 MiB'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    gpu_count.cache_clear()
    try:
        here = {"GROUPER_HOME": str(tmp_path)}
        assert devices(load_settings(here)) == PRESENT
        assert devices(load_settings({**here, "CUDA_VISIBLE_DEVICES": "1"})) == ("cpu", "cuda:1")
    finally:
        gpu_count.cache_clear()


@pytest.mark.parametrize(("device", "seen"), [("cuda:3", "3"), ("cpu", "")])
def test_a_worker_sees_its_own_device_alone(device: str, seen: str, tmp_path: Path) -> None:
    environment = worker_environment(load_settings({"GROUPER_HOME": str(tmp_path)}), "token", device)
    program = "import os; print(os.environ['CUDA_VISIBLE_DEVICES'])"
    told = subprocess.run([sys.executable, "-c", program], env=environment, cwd=PROJECT, capture_output=True, text=True)
    assert told.stdout.strip() == seen
