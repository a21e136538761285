"""Proves the stack on a GPU machine and measures it: one call, results as JSON lines.

    python tools/gpu_proof.py OUT_FOLDER [TASK ...]

Each task runs in a process of its own, forked where possible from one that has imported vLLM and not touched the GPU,
and writes what it found to OUT_FOLDER/TASK.jsonl as it finds it. No network is needed: models are made on the spot, and
the built-in one comes from its package. Without names every task of `TASKS` runs, in that order. PROOF_TESTS, as in
`pytest -k`, picks among the tests.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tools" / "gpu")]
# Asking whether there is a GPU must not start CUDA here: a process forked after that could not use it.
os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "1"
os.environ.setdefault("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True")

from core.installation import detected_gpu  # noqa: E402
from core.settings import load_settings, set_engine_environment  # noqa: E402

set_engine_environment(kv_cache_gib=1)
SETTINGS = load_settings()
WORK = SETTINGS.home / "proof"
BUILTIN = SETTINGS.models / "smollm2-135m"
GPU = detected_gpu().id

ONE, LONGEST_S, LONGEST_TESTS_S = "--one", 300, 560
OUTCOME = re.compile(r"\b(PASSED|FAILED|SKIPPED|ERROR)\b")
Task = Callable[[], Iterator[dict[str, Any]]]


def planner(common: dict[str, Any], rows: list[dict[str, Any]]) -> Task:
    def task() -> Iterator[dict[str, Any]]:
        from measure import measure_rows

        yield from measure_rows(SETTINGS, WORK, BUILTIN, {"gpu": GPU, **common}, rows)

    return task


def of(module: str, function: str, *arguments: Any) -> Task:
    def task() -> Iterator[dict[str, Any]]:
        yield from getattr(__import__(module), function)(WORK, BUILTIN, *arguments)

    return task


def tests(name: str) -> Task:
    """One file of tests/gpu; what each test came to, as it comes."""

    def task() -> Iterator[dict[str, Any]]:
        options = ["-o", "addopts=", "-p", "no:cacheprovider", "-v", "-s", "-k", os.environ.get("PROOF_TESTS", "")]
        command = [sys.executable, "-W", "ignore", "-m", "pytest", *options, f"tests/gpu/{name}.py"]
        path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        with subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.PIPE, text=True
        ) as process:
            test, began = "", time.monotonic()
            for line in process.stdout or ():
                print(line, end="", flush=True)
                test = line.partition("::")[2].strip() or test  # what the test prints comes before its outcome
                outcome = OUTCOME.search(line)
                if test and outcome:
                    name_alone = OUTCOME.split(test)[0].strip()
                    yield {"test": name_alone, "outcome": outcome[0].lower(), "seconds": time.monotonic() - began}
                    test, began = "", time.monotonic()
        if process.returncode:
            raise SystemExit(process.returncode)

    return task


def ceilings() -> Iterator[dict[str, Any]]:
    import torch
    from measure import floor

    yield {"device": torch.cuda.get_device_name(), "torch": torch.__version__, **floor()}


def small_rows() -> list[dict[str, Any]]:
    return [
        {"rank": 16},
        {"rank": 64, "gradient_checkpointing": False, "per_device_train_batch_size": 16},
        {"rank": 128, "quantization": "nf4"},
        {"rank": 64, "adapter_sync": "slot", "share_weights": True},
    ]


def large_rows() -> list[dict[str, Any]]:
    return [
        {"rank": 16, "adapter_sync": "slot", "share_weights": True},
        {"rank": 64, "per_device_train_batch_size": 8},
        {"rank": 128, "quantization": "nf4"},
    ]


BATCH = {"prompts_per_step": 4, "group_size": 8, "gradient_checkpointing": True, "max_lora_rank": 128}
SPEED_7B = {
    "model": "qwen2.5-7b", "gpu": GPU, "rank": 64, "prompts_per_step": 32, "group_size": 8, "prompt_tokens": 128,
    "completion_tokens": 256, "gpu_memory_utilization": 0.6, "per_device_train_batch_size": 8,
    "gradient_checkpointing": True,
}  # fmt: skip
STEP_1B = {
    "model": "qwen2.5-1.5b", "gpu": GPU, "rank": 64, "prompts_per_step": 8, "group_size": 8, "prompt_tokens": 128,
    "completion_tokens": 256, "gpu_memory_utilization": 0.4, "per_device_train_batch_size": 16,
    "gradient_checkpointing": True, "lora_alpha": 64,
}  # fmt: skip
WHOLE = {"per_device_train_batch_size": 64}  # the whole batch in one pass
ONCE = {"adapter_sync": "slot", "share_weights": True}  # one copy of the base weights
STEP_7B = {**STEP_1B, "model": "qwen2.5-7b", "per_device_train_batch_size": 8}

# The same code at a size that a CPU can do, to find mistakes before a GPU is lent.
TINY = {
    "model": "smollm2-135m", "gpu": "cpu", "rank": 8, "prompts_per_step": 2, "group_size": 2, "prompt_tokens": 16,
    "completion_tokens": 8,
}  # fmt: skip
REHEARSALS: dict[str, Task] = {
    "try-plan": planner(TINY, [{}, {"rank": 16, "quantization": "nf4"}]),
    "try-sync": of("measure", "syncs", TINY),
    "try-step": of("stock", "ours", TINY),
    "try-plain": of("stock", "plain", TINY),
    "try-generation": of("measure", "generation", {**TINY, "adapter_sync": "merged"}),
}
TASKS: dict[str, Task] = {
    "tests-update": tests("test_update_on_gpu"),
    "tests-engine": tests("test_engine_on_gpu"),
    "tests-runs": tests("test_runs_on_gpu"),
    "ceilings": ceilings,
    "sync-7b": of("measure", "syncs", {**SPEED_7B, "prompts_per_step": 4, "adapter_sync": "slot"}),
    "plan-0.5b": planner(
        {**BATCH, "model": "qwen2.5-0.5b", "gpu_memory_utilization": 0.3, "prompt_tokens": 256,
         "completion_tokens": 256}, small_rows()),
    "plan-1.5b": planner(
        {**BATCH, "model": "qwen2.5-1.5b", "gpu_memory_utilization": 0.5, "prompt_tokens": 256,
         "completion_tokens": 512}, small_rows()),
    "plan-1b": planner(
        {**BATCH, "model": "llama-3.2-1b", "gpu_memory_utilization": 0.4, "prompt_tokens": 512,
         "completion_tokens": 256}, small_rows()),
    "plan-0.5b-long": planner(
        {**BATCH, "model": "qwen2.5-0.5b", "gpu_memory_utilization": 0.2, "prompt_tokens": 512,
         "completion_tokens": 512}, small_rows()),
    "plan-7b": planner(
        {**BATCH, "model": "qwen2.5-7b", "gpu_memory_utilization": 0.5, "prompt_tokens": 256,
         "completion_tokens": 256}, large_rows()),
    "plan-8b": planner(
        {**BATCH, "model": "llama-3.1-8b", "gpu_memory_utilization": 0.45, "prompt_tokens": 256,
         "completion_tokens": 128}, large_rows()),
    "plan-7b-nap": planner(
        {**BATCH, "model": "qwen2.5-7b", "gpu_memory_utilization": 0.6, "prompt_tokens": 256,
         "completion_tokens": 128, "sleep_kv_cache": True},
        [*large_rows(), {"rank": 64, "adapter_sync": "merged"}]),
    "generation-7b": of("measure", "generation", SPEED_7B),
    "generation-7b-merged": of("measure", "generation", {**SPEED_7B, "adapter_sync": "merged"}),
    "generation-7b-fp8": of("measure", "generation", SPEED_7B, {"quantization": "fp8"}),
    "step-stock-1.5b": of("stock", "stock", STEP_1B),
    "step-ours-1.5b": of("stock", "ours", STEP_1B, WHOLE, {}),
    "step-stock-1.5b-whole": of("stock", "stock", {**STEP_1B, **WHOLE}),
    "step-ours-1.5b-shared": of("stock", "ours", {**STEP_1B, **ONCE}, WHOLE, {}),
    "step-plain-1.5b": of("stock", "plain", STEP_1B),
    "step-stock-7b": of("stock", "stock", STEP_7B),
    "step-ours-7b": of("stock", "ours", {**STEP_7B, **ONCE}),
}  # fmt: skip


def main(out: Path, names: list[str]) -> int:
    every = {**TASKS, **REHEARSALS}
    unknown = [name for name in names if name not in every]
    if unknown:
        sys.exit(f"no such task: {', '.join(unknown)}; there are {', '.join(TASKS)}")
    out.mkdir(parents=True, exist_ok=True)
    import torch
    from vllm import LLM  # noqa: F401

    forks = not torch.cuda.is_initialized()
    failed = 0
    for name in names or list(TASKS):
        began = time.monotonic()
        alone = [sys.executable, __file__, str(out), ONE, name]
        child = os.fork() if forks else os.spawnv(os.P_NOWAIT, sys.executable, alone)
        if child == 0:
            os._exit(run(name, out))
        status = wait(child, LONGEST_TESTS_S if name.startswith("tests-") else LONGEST_S)
        failed += status != 0
        print(f"{name}: {'failed' if status else 'done'} in {time.monotonic() - began:.0f} s", flush=True)
    return 1 if failed else 0


def wait(child: int, longest_s: float) -> int:
    """The exit status of a task; one that takes too long is ended."""
    deadline = time.monotonic() + longest_s
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status
        time.sleep(0.2)
    os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1]


def run(name: str, out: Path) -> int:
    log = os.open(out / f"{name}.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1), os.dup2(log, 2)
    try:
        with (out / f"{name}.jsonl").open("a", encoding="utf-8") as file:
            for found in {**TASKS, **REHEARSALS}[name]():
                file.write(json.dumps(found, default=str) + "\n")
                file.flush()
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        return 1
    sys.stdout.flush(), sys.stderr.flush()
    return 0


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    if sys.argv[2:3] == [ONE]:
        sys.exit(run(sys.argv[3], Path(sys.argv[1])))
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
