"""Where this installation keeps its state and what the environment asks for. The only reader of `os.environ`.

Every variable that is read here stands in `VARIABLES`, which docs/configuration.md is made from.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from core.errors import InvalidInput

# The folder that the packages lie in, of a checkout or of site-packages. Processes are started there by module name, so
# that they import the same packages as this one.
PROJECT = Path(__file__).resolve().parent.parent
JUDGE_KEY = "GROUPER_JUDGE_KEY"  # what the names of variables with keys of judges begin with
RUN_TOKEN = "GROUPER_RUN"  # in the environment of a run's worker and of all it starts: the run's id

# Name -> what stands for it where it is not set, and what it does.
VARIABLES: Mapping[str, tuple[str, str]] = {
    "GROUPER_HOME": (
        "`grouper` in the user data folder",
        "State folder: database, logs, checkpoints, adapters, converted models.",
    ),
    "GROUPER_DATABASE_URL": ("`grouper.db` in the state folder", "The database, as `sqlite:///PATH`."),
    "GROUPER_READ_ONLY": ("", "Anything but `0`: the dashboard shows runs and changes nothing."),
    JUDGE_KEY: (
        "",
        "Key of the model that judges completions. A task file names this variable or one that begins with "
        "`GROUPER_JUDGE_KEY_`, and no other: it cannot have a key sent away that is meant for something else.",
    ),
    "GRADIO_SERVER_NAME": ("`127.0.0.1`; `0.0.0.0` on a Space", "Address that the dashboard listens on."),
    "GRADIO_SERVER_PORT": ("`7860`", "Port that the dashboard listens on."),
    "CUDA_VISIBLE_DEVICES": (
        "all GPUs",
        "GPUs that runs may have, by their numbers on the bus; `-1`: none.",
    ),
    "SPACE_ID": ("", "Set by Hugging Face where the dashboard runs as a Space, whose disk does not outlive a restart."),
    "PYTORCH_CUDA_ALLOC_CONF": ("`expandable_segments:True`", "How a worker's torch divides up GPU memory."),
    "VLLM_LOGGING_LEVEL": ("`WARNING`", "How much the engine writes into a worker's log."),
    "GOMP_SPINCOUNT": ("`10000`", "How long a worker's OpenMP threads wait for each other before they sleep."),
}


@dataclass(frozen=True)
class Settings:
    """What the environment decides, read once at the start of a process and passed on.

    home          the state folder: database, logs, adapters, converted models
    database_url  SQLAlchemy URL of the database, always SQLite
    host, port    where the dashboard listens
    on_space      whether this is a Hugging Face Space (nothing on its disk outlives a restart)
    read_only     whether the dashboard may change anything
    visible_gpus  the GPUs that CUDA_VISIBLE_DEVICES leaves to this installation; None: all of them
    """

    home: Path
    database_url: str
    host: str = "127.0.0.1"
    port: int = 7860
    on_space: bool = False
    read_only: bool = False
    visible_gpus: tuple[int, ...] | None = None

    @property
    def models(self) -> Path:
        return self.home / "models"

    @property
    def tasks(self) -> Path:
        """Saved tasks, and which Python files their owner has agreed to."""
        return self.home / "tasks"

    @property
    def scores(self) -> Path:
        """What judges said, to be used again; may be deleted at any time."""
        return self.home / "scores"

    def run_folder(self, run_id: str) -> Path:
        """Log, adapter and checkpoints of one run."""
        return self.home / "runs" / run_id


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Settings from `GROUPER_HOME`, `GROUPER_DATABASE_URL`, `GRADIO_SERVER_NAME`, `GRADIO_SERVER_PORT`,
    `GROUPER_READ_ONLY`, `CUDA_VISIBLE_DEVICES` and `SPACE_ID`.

    Raises InvalidInput for a database that is not SQLite and for a port that is not a number.
    """
    environ = os.environ if environ is None else environ
    home = Path(environ.get("GROUPER_HOME") or platformdirs.user_data_dir("grouper", appauthor=False))
    home = home.expanduser().resolve()
    url = environ.get("GROUPER_DATABASE_URL") or f"sqlite:///{home / 'grouper.db'}"
    if not url.startswith("sqlite:///"):
        scheme = url.split(":", 1)[0]
        raise InvalidInput(
            "GROUPER_DATABASE_URL", scheme, "which is not SQLite", "write sqlite:///PATH or leave it out"
        )
    on_space = bool(environ.get("SPACE_ID"))
    port = environ.get("GRADIO_SERVER_PORT", "7860")
    if not port.isdigit():
        raise InvalidInput("GRADIO_SERVER_PORT", port, "which is not a number", "write a port such as 7860")
    host = environ.get("GRADIO_SERVER_NAME") or ("0.0.0.0" if on_space else "127.0.0.1")
    read_only = environ.get("GROUPER_READ_ONLY", "") not in ("", "0")
    return Settings(home, url, host, int(port), on_space, read_only, _gpu_numbers(environ.get("CUDA_VISIBLE_DEVICES")))


def _gpu_numbers(visible: str | None) -> tuple[int, ...] | None:
    """CUDA_VISIBLE_DEVICES as numbers: "0,2" -> (0, 2), "" -> (); None where it is not set or names GPUs otherwise."""
    if visible is None:
        return None
    parts = [part.strip() for part in visible.split(",") if part.strip()]
    if parts == ["-1"]:
        return ()
    return tuple(map(int, parts)) if all(part.isdigit() for part in parts) else None


def judge_key(variable: str) -> str:
    """The key in this variable. Raises InvalidInput where it is not set, and for a variable that is not a judge's."""
    if variable != JUDGE_KEY and not variable.startswith(f"{JUDGE_KEY}_"):
        raise InvalidInput("key_variable", variable, "which is not a judge's", f"name {JUDGE_KEY} or {JUDGE_KEY}_NAME")
    usual = os.environ.get("GROUPER_JUDGE_KEY", "")
    key = (usual if variable == JUDGE_KEY else os.environ.get(variable, "")).strip()
    if not key or not key.isascii() or not key.isprintable():
        raise InvalidInput("key_variable", variable, "which holds no key", "set this variable where Grouper is started")
    return key


def page_environment(host: str, port: int, read_only: bool) -> dict[str, str]:
    """The environment the dashboard is started with; an empty host and port 0 leave the defaults."""
    chosen = {"GRADIO_SERVER_NAME": host, "GRADIO_SERVER_PORT": str(port or ""), "GROUPER_READ_ONLY": "1" * read_only}
    return {**os.environ, **{name: value for name, value in chosen.items() if value}}


def worker_environment(settings: Settings, token: str = "", device: str = "") -> dict[str, str]:
    """The environment a worker is started with: this one, where the state is, whose worker it is and on what device.

    device  "cpu" or "cuda:N", which is then the only GPU the worker sees; empty: whatever this process sees
    """
    # CUDA would number GPUs by their speed, nvidia-smi numbers them by their place on the bus.
    seen = {"CUDA_VISIBLE_DEVICES": device.partition(":")[2], "CUDA_DEVICE_ORDER": "PCI_BUS_ID"} if device else {}
    return {
        **os.environ,
        **seen,
        RUN_TOKEN: token,
        "GROUPER_HOME": str(settings.home),
        "GROUPER_DATABASE_URL": settings.database_url,
        "PYTHONUNBUFFERED": "1",
        # The GPU allocator's overhead fell from 1.25 to 1.03 times what was alive.
        "PYTORCH_CUDA_ALLOC_CONF": os.environ.get("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True"),
    }


def set_engine_environment(kv_cache_gib: int) -> None:
    """Variables the training stack reads when it is imported; call this before importing torch or vllm.

    kv_cache_gib is the KV cache's share of host memory in whole GiB and matters on a CPU only: the CPU engine takes
    it from the environment (vllm/platforms/cpu.py) and not from its arguments.
    """
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    os.environ.update(
        {
            "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # the engine lives and dies with the worker
            "VLLM_CPU_KVCACHE_SPACE": str(kv_cache_gib),
            "VLLM_CPU_OMP_THREADS_BIND": ",".join(map(str, cores)),
            "VLLM_USE_FLASHINFER_SAMPLER": "0",  # torch's generator alone decides the draw, which makes runs repeatable
            "VLLM_NO_USAGE_STATS": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "TOKENIZERS_PARALLELISM": "false",
        }
    )
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
    # OpenMP threads that wait for each other by spinning stand still for whole time slices as soon as anything else
    # (the dashboard, a browser) runs on the same cores: a step took five times as long. Sleep soon instead, though not
    # between two operations of one layer: at 1000 turns every matrix product of the engine took twice as long.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
