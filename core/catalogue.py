"""What ships as data: the base models and GPUs that can be named, read from core/data/*.toml into frozen records.

A base model carries the fields of its config.json that fix its shape, under Hugging Face's names; `core.planner` turns
them into a geometry. Nothing here loads a model or asks a driver: `detect_gpu_profile` is given nvidia-smi's text.
"""

import difflib
import functools
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import psutil

from core import data
from core.errors import NotFound
from core.host import multiplies_bf16
from core.units import MIB

CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
# What a driver adds to a device's name that does not make it another device: "A100-SXM4-80GB", "H100 80GB HBM3".
PACKAGING = re.compile(r"sxm\d*|pcie|hbm\d\w?|\d+gb")


@dataclass(frozen=True)
class GpuProfile:
    """A device to plan for.

    memory_bytes    the total that the device's driver reports; for a CPU the RAM this process may use
    bf16            whether the hardware computes in bfloat16
    bandwidth_gb_s  memory bandwidth, decimal GB/s; None where it varies by machine
    bf16_tflops     dense bf16 matrix throughput, TFLOP/s; None where it varies by machine
    """

    id: str
    name: str
    memory_bytes: int
    kind: Literal["cuda", "rocm", "cpu"]
    bf16: bool
    bandwidth_gb_s: float | None = None
    bf16_tflops: float | None = None
    vendor: str = ""
    architecture: str = ""
    compute_capability: str = ""
    driver_name: str = ""
    aliases: tuple[str, ...] = ()
    source: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        return (self.id, *self.aliases)

    @property
    def dtype(self) -> Literal["bf16", "fp32"]:
        """What a run computes in and holds weights, keys and values in; a GPU without bf16 emulates it."""
        return "fp32" if self.kind == "cpu" and not self.bf16 else "bf16"


@dataclass(frozen=True)
class BuiltinSource:
    """The Python package that carries a model's weights, so that it needs no model hub."""

    package: str
    version: str
    file: str
    sha256: str


@dataclass(frozen=True)
class BaseModel:
    """A base model as published.

    parameters      the exact count of the text model, tied embeddings once
    geometry        the fields of config.json that fix the shape, `model_type` among them
    context_length  the longest sequence in tokens that the published config allows
    also            other Hub repositories of the same shape; `Catalogue.model` answers for them under their own hub_id
    """

    alias: str
    hub_id: str
    name: str
    family: str
    parameters: int
    licence: str
    gated: bool
    source: str
    context_length: int
    geometry: Mapping[str, Any] = field(hash=False)
    builtin: BuiltinSource | None = None
    also: tuple[str, ...] = ()
    note: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        return (self.alias, self.hub_id, *self.also)

    def called(self, name: str) -> "BaseModel":
        """This record as the repository `name`: same shape, other weights (a base model is not its instruct tuning)."""
        for hub_id in self.also:
            if hub_id.lower() == name.lower():
                return replace(self, alias=hub_id, hub_id=hub_id, name=hub_id.split("/")[-1], builtin=None)
        return self


@dataclass(frozen=True)
class Catalogue:
    """Every base model and GPU that can be named, in the order of the data files."""

    models: tuple[BaseModel, ...]
    gpus: tuple[GpuProfile, ...]

    def model(self, name: str) -> BaseModel | None:
        """The base model with this alias or Hub id, upper and lower case alike; None when there is none."""
        wanted = name.strip().lower()
        for model in self.models:
            if wanted in (known.lower() for known in model.names):
                return model.called(wanted)
        return None

    def find_model(self, name: str) -> BaseModel:
        """Like `model`, but raises NotFound with the nearest names."""
        found = self.model(name)
        if found is None:
            known = {n.lower(): n for model in self.models for n in model.names}
            raise NotFound("model", name, "which is not in the catalogue", _choose(name, known))
        return found

    def gpu(self, id: str) -> GpuProfile:
        """The GPU with this id or alias; raises NotFound with the nearest names.

        `cuda-16gb` is an NVIDIA GPU of any make with that much memory, for devices that have no row of their own.
        """
        wanted = id.strip().lower()
        for gpu in self.gpus:
            if wanted in gpu.names:
                return gpu
        generic = re.fullmatch(r"cuda-(\d{1,4})gb", wanted)
        if generic and int(generic[1]):
            return _any_cuda(int(generic[1]), int(generic[1]) * 1024 * MIB)
        raise NotFound("gpu", id, "which is not in the catalogue", _choose(id, {g.id: g.id for g in self.gpus}))


def load_catalogue(data_dir: Path = data.FOLDER) -> Catalogue:
    """The catalogue in `data_dir` (models.toml and gpus.toml), read once a process."""
    return _load(data_dir.resolve())


@functools.cache
def _load(data_dir: Path) -> Catalogue:
    models = tomllib.loads((data_dir / "models.toml").read_text(encoding="utf-8"))["model"]
    gpus = tomllib.loads((data_dir / "gpus.toml").read_text(encoding="utf-8"))["gpu"]
    return Catalogue(tuple(_base_model(row) for row in models), tuple(_gpu_profile(row) for row in gpus))


def detect_gpu_profile(catalogue: Catalogue, nvidia_smi_output: str | None) -> GpuProfile:
    """The profile of the first GPU in nvidia-smi's text, with the memory that the driver reported.

    The text is that of `nvidia-smi --query-gpu=name,memory.total --format=csv,noheader`, one "NAME, N MiB" a line.
    None or no such line means that there is no GPU: the CPU profile. A device that the catalogue does not know gets a
    profile of its own, so that its memory can still be planned.
    """
    match = re.search(r"^(.+?),\s*(\d+) MiB\s*$", nvidia_smi_output or "", re.MULTILINE)
    if match is None:
        return catalogue.gpu("cpu")
    name, memory_bytes = match[1].strip(), int(match[2]) * MIB
    words = _device_words(name)
    known = [gpu for gpu in catalogue.gpus if _device_words(gpu.driver_name) == words and gpu.kind == "cuda"]
    if known:
        nearest = min(known, key=lambda gpu: abs(gpu.memory_bytes - memory_bytes))
        if abs(nearest.memory_bytes - memory_bytes) < 0.06 * nearest.memory_bytes:
            return replace(nearest, memory_bytes=memory_bytes)
    return _any_cuda(max(1, round(memory_bytes / (1024 * MIB))), memory_bytes, name)


def _any_cuda(gib: int, memory_bytes: int, name: str = "") -> GpuProfile:
    """A GPU of which only the memory is known."""
    called = name or f"NVIDIA GPU with {gib} GB"
    return GpuProfile(f"cuda-{gib}gb", called, memory_bytes, "cuda", bf16=True, source="nvidia-smi")


def host_memory_bytes(limits: Iterable[Path] = CGROUP_LIMITS) -> int:
    """RAM that this process may use: the machine's, or its container's limit where that is smaller."""
    total = int(psutil.virtual_memory().total)
    for path in limits:
        try:
            text = path.read_text(encoding="ascii").strip()
        except OSError:
            continue
        if text.isdigit():  # the file says "max" where nothing is limited
            total = min(total, int(text))
    return total


def _gpu_profile(row: dict[str, Any]) -> GpuProfile:
    facts = dict(row) if "bf16" in row else {**row, "bf16": multiplies_bf16()}
    memory_bytes = facts.pop("memory_mib") * MIB if "memory_mib" in facts else host_memory_bytes()
    return GpuProfile(**{**facts, "aliases": tuple(facts.get("aliases", ())), "memory_bytes": memory_bytes})


def _base_model(row: dict[str, Any]) -> BaseModel:
    facts = {key: value for key, value in row.items() if key not in ("package", "builtin")}
    package = row.get("package")
    if package:
        facts["builtin"] = BuiltinSource(package["name"], package["version"], package["file"], package["sha256"])
    facts["also"] = tuple(row.get("also", ()))
    facts["geometry"] = MappingProxyType(row["geometry"])
    return BaseModel(**facts, context_length=row["geometry"]["max_position_embeddings"])


def _device_words(name: str) -> tuple[str, ...]:
    """ "NVIDIA A100-SXM4-80GB" -> ("a100",): a device's name without its maker and its packaging."""
    words = re.split(r"[\s-]+", name.lower())
    return tuple(word for word in words if word not in ("nvidia", "geforce", "tesla") and not PACKAGING.fullmatch(word))


def _choose(name: str, known: Mapping[str, str]) -> str:
    """The remedy for an unknown name: the nearest known names, or the first few when none is near."""
    near = difflib.get_close_matches(name.strip().lower(), known, n=3, cutoff=0.5) or list(known)[:3]
    return f"choose one of {', '.join(known[key] for key in near)}, or another that the catalogue lists"
