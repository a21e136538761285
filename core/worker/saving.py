"""Adapters on disk: complete or not there at all."""

import os
import shutil
from pathlib import Path

from peft import PeftModel

from core.worker.loading.builtin import sha256

ADAPTER_FILE = "adapter_model.safetensors"


def save_adapter(policy: PeftModel, folder: Path, base_name: str) -> str:
    """Writes the adapter in PEFT's own format to `folder` and returns its sha256.

    The files are written beside it, flushed to disk, and renamed in one move: a crash leaves the old or the new.
    base_name  what the adapter's config names as its base model, so that no path of this machine travels with it
    """
    scratch = folder.with_name(folder.name + ".partial")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    adapter = policy.peft_config["default"]
    before, adapter.base_model_name_or_path = adapter.base_model_name_or_path, base_name
    try:
        policy.save_pretrained(scratch, selected_adapters=["default"], save_embedding_layers=False)
    finally:
        adapter.base_model_name_or_path = before
    (scratch / "README.md").unlink(missing_ok=True)
    for path in scratch.iterdir():
        _flush(path)
    shutil.rmtree(folder, ignore_errors=True)
    scratch.rename(folder)
    _flush(folder.parent)
    return sha256(folder / ADAPTER_FILE)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
