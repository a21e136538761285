"""Adapters and checkpoints on disk: complete or not there at all."""

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel, set_peft_model_state_dict
from safetensors.torch import load_file, save_file

ADAPTER_FILE = "adapter_model.safetensors"
TENSORS_FILE, VALUES_FILE, MANIFEST = "training.safetensors", "training.json", "manifest.json"


@dataclass(frozen=True)
class TrainingState:
    """What training needs besides the adapter to go on as if it had never stopped.

    tensors  optimizer moments and random generators, by name
    values   everything else, as JSON has it: the scheduler, the step, what made it
    """

    tensors: Mapping[str, torch.Tensor]
    values: Mapping[str, Any]


def save_adapter(policy: PeftModel, folder: Path, base_name: str) -> None:
    """Writes the adapter in PEFT's own format to `folder`.

    base_name  what the adapter's config names as its base model, so that no path of this machine travels with it
    """
    with _replacing(folder) as scratch:
        _write_adapter(policy, scratch, base_name)


def save_checkpoint(policy: PeftModel, folder: Path, base_name: str, state: TrainingState) -> str:
    """Writes adapter and training state to `folder` and returns the hash of its manifest, which has all files'."""
    with _replacing(folder) as scratch:
        _write_adapter(policy, scratch, base_name)
        save_file({name: tensor.contiguous() for name, tensor in state.tensors.items()}, scratch / TENSORS_FILE)
        (scratch / VALUES_FILE).write_text(json.dumps(state.values), encoding="utf-8")
        hashes = {path.name: sha256(path) for path in sorted(scratch.iterdir())}
        (scratch / MANIFEST).write_text(json.dumps(hashes, indent=1), encoding="utf-8")
    return sha256(folder / MANIFEST)


def damage(folder: Path) -> str:
    """Why this checkpoint cannot be used, in a few words; "" when every file is what was written."""
    try:
        hashes = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        wrong = [name for name, wanted in hashes.items() if sha256(folder / name) != wanted]
    except FileNotFoundError as error:
        return f"{Path(error.filename).name} is missing"
    except (OSError, ValueError, AttributeError):
        return f"{MANIFEST} cannot be read"
    return f"{wrong[0]} is not what was written" if wrong else ""


def load_checkpoint(policy: PeftModel, folder: Path) -> TrainingState:
    """Puts the checkpoint's adapter into the policy and returns the rest of its state."""
    set_peft_model_state_dict(policy, load_file(folder / ADAPTER_FILE))
    values = json.loads((folder / VALUES_FILE).read_text(encoding="utf-8"))
    return TrainingState(load_file(folder / TENSORS_FILE), values)


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def _replacing(folder: Path) -> Iterator[Path]:
    """An empty folder that takes the place of `folder` in one move once everything in it is on the disk.

    A crash leaves the old one, the new one, or for an instant neither under its name; never a mixture.
    """
    scratch, old = (folder.with_name(folder.name + ending) for ending in (".partial", ".old.partial"))
    for left in (scratch, old):
        shutil.rmtree(left, ignore_errors=True)
    scratch.mkdir(parents=True)
    try:
        yield scratch
        for path in scratch.iterdir():
            _flush(path)
        _flush(scratch)
        if folder.exists():
            folder.rename(old)
        scratch.rename(folder)
        _flush(folder.parent)
    finally:
        for left in (scratch, old):
            shutil.rmtree(left, ignore_errors=True)


def _write_adapter(policy: PeftModel, folder: Path, base_name: str) -> None:
    adapter = policy.peft_config["default"]
    before, adapter.base_model_name_or_path = adapter.base_model_name_or_path, base_name
    try:
        policy.save_pretrained(folder, selected_adapters=["default"], save_embedding_layers=False)
    finally:
        adapter.base_model_name_or_path = before
    (folder / "README.md").unlink(missing_ok=True)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
