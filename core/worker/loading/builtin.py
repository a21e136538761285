"""The built-in model: made once from an installed package into safetensors, a tokenizer and a chat template."""

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

from core.catalogue import BuiltinSource
from core.errors import RunError
from core.worker.checkpoints.files import sha256
from core.worker.upstream.transformers import forget_origin

MANIFEST = "grouper-manifest.json"
# The GGUF file numbers its special tokens but names the wrong one as the end of a turn; the model's own
# tokenizer_config.json (HuggingFaceTB/SmolLM2-135M-Instruct) has these.
END_OF_TURN = "<|im_end|>"


def convert_builtin(source: BuiltinSource, folder: Path) -> Path:
    """The folder of the converted model, converting it first when it is missing or its hashes do not match.

    Several processes may ask at once: each converts into a folder of its own, the first to finish is kept. What a
    process left half-written because it was killed is removed by the next one that asks.
    Raises RunError when the package is missing or holds another file than the catalogue's.
    """
    _sweep(folder)
    if _is_intact(folder):
        return folder
    gguf = _packaged_file(source)
    with _scratch(folder) as scratch:
        _convert(gguf, scratch)
        hashes = {path.name: sha256(path) for path in sorted(scratch.iterdir())}
        (scratch / MANIFEST).write_text(json.dumps({"source": source.sha256, "files": hashes}), encoding="utf-8")
        _keep(scratch, folder)
    return folder


@contextlib.contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """An empty folder beside `folder`, locked for as long as this process works in it."""
    scratch = folder.with_name(f"{folder.name}.{os.getpid()}.partial")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    lock = os.open(scratch, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        os.close(lock)


def _sweep(folder: Path) -> None:
    """Removes half-written folders that no process works in: the lock of a killed one is gone with it."""
    for left in folder.parent.glob(f"{folder.name}.*.partial"):
        with contextlib.suppress(OSError):
            lock = os.open(left, os.O_RDONLY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left, ignore_errors=True)
            finally:
                os.close(lock)


def _convert(gguf: Path, folder: Path) -> None:
    # Without dequantize=True transformers keeps the weights packed and then refuses to save them.
    model = AutoModelForCausalLM.from_pretrained(
        gguf.parent, gguf_file=gguf.name, dtype=torch.bfloat16, quantization_config=GgufConfig(dequantize=True)
    )
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    tokenizer.eos_token = tokenizer.pad_token = END_OF_TURN
    tokenizer.model_max_length = model.config.max_position_embeddings
    tokenizer.clean_up_tokenization_spaces = False
    forget_origin(model)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)


def _packaged_file(source: BuiltinSource) -> Path:
    try:
        files = distribution(source.package).files or []
    except PackageNotFoundError:
        raise RunError(
            "model-missing",
            f"The package {source.package} that carries the built-in model is not installed.",
            "Run `make setup`.",
        ) from None
    for file in files:
        path = Path(str(file.locate()))
        if path.name == source.file:
            if sha256(path) != source.sha256:
                raise RunError(
                    "model-corrupt",
                    f"{source.file} is not the file this version expects: its hash differs.",
                    f"Reinstall {source.package} {source.version}.",
                )
            return path
    raise RunError(
        "model-missing", f"{source.package} does not carry {source.file}.", f"Install {source.version} of it."
    )


def _is_intact(folder: Path) -> bool:
    try:
        files = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]
        return all(sha256(folder / name) == wanted for name, wanted in files.items())
    except (OSError, ValueError, KeyError):
        return False


def _keep(scratch: Path, folder: Path) -> None:
    if folder.exists() and not _is_intact(folder):
        shutil.rmtree(folder)
    try:
        scratch.rename(folder)
    except OSError:
        if not _is_intact(folder):  # another process was faster, and its copy is as good; anything else is an error
            raise
