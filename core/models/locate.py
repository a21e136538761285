"""Where a base model's files come from: the built-in package, a local folder, or the Hugging Face Hub."""

import json
import re
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit
from urllib.request import getproxies

from core.catalogue import BaseModel, Catalogue
from core.errors import InvalidInput, NotFound, RunError

HUB_ID = re.compile(r"^[A-Za-z0-9][\w.-]*/[\w.-]+$")
HUB_TIMEOUT_S = 4.0


@dataclass(frozen=True)
class ModelSource:
    """A model somebody named, and how to get it.

    kind    "builtin" (made from an installed package), "folder" (files on this disk) or "hub"
    folder  where the files are or will be; None for the Hub, whose cache decides
    known   its row in the catalogue, if it has one
    """

    name: str
    kind: Literal["builtin", "folder", "hub"]
    hub_id: str
    folder: Path | None
    known: BaseModel | None

    @property
    def alias(self) -> str:
        """What plans call it: its alias in the catalogue, or the name that somebody gave."""
        return self.known.alias if self.known else self.name


def locate(name: str, catalogue: Catalogue, models_folder: Path) -> ModelSource:
    """What `name` means. Raises InvalidInput when it is neither in the catalogue, nor a folder, nor a Hub id."""
    known = catalogue.model(name)
    if known is not None:
        if known.builtin is not None:
            return ModelSource(name, "builtin", known.hub_id, models_folder / known.alias, known)
        return ModelSource(name, "hub", known.hub_id, None, known)
    folder = Path(name).expanduser()
    if folder.is_dir():
        _check_folder(folder)
        return ModelSource(name, "folder", "", folder.resolve(), None)
    if name.startswith((".", "/", "~")) or name.count("/") > 1:
        raise InvalidInput("model", name, "a folder that does not exist", "check the path, or name a catalogue model")
    if HUB_ID.match(name):
        return ModelSource(name, "hub", name, None, None)
    catalogue.find_model(name)  # raises with the closest names
    raise AssertionError("unreachable")


def read_config(source: ModelSource) -> dict[str, Any]:
    """The model's `config.json`, from the catalogue's row, its folder, the Hub's cache, or the Hub.

    Raises InvalidInput when the Hub has no such model, wants a licence accepted, or cannot be reached.
    """
    if source.known is not None:
        return dict(source.known.geometry)
    if source.folder is not None:
        return _read(source.folder / "config.json", source.name)
    return _read(Path(fetch_hub_file(source.hub_id, "config.json")), source.name)


def fetch_hub_file(hub_id: str, filename: str) -> str:
    """Path of one small file of a Hub model, downloaded if this disk does not have it yet."""
    from huggingface_hub import hf_hub_download, try_to_load_from_cache
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    cached = try_to_load_from_cache(hub_id, filename)
    if isinstance(cached, str):
        return cached
    if not _hub_answers():
        raise _out_of_reach(hub_id)
    try:
        return str(hf_hub_download(hub_id, filename, etag_timeout=HUB_TIMEOUT_S))
    except GatedRepoError:
        raise InvalidInput(
            "model", hub_id, "whose licence has to be accepted first", "accept it on its Hub page and set HF_TOKEN"
        ) from None
    except LocalEntryNotFoundError:
        raise _out_of_reach(hub_id) from None
    except (RepositoryNotFoundError, EntryNotFoundError):
        raise NotFound(
            "model",
            hub_id,
            "which the Hugging Face Hub does not have",
            "check the spelling; private models need HF_TOKEN",
        ) from None


def folder_on_disk(source: ModelSource, filename: str) -> Path | None:
    """The folder that holds this file of a model, if this disk has it; nothing is downloaded."""
    if source.folder is not None:
        return source.folder
    from huggingface_hub import try_to_load_from_cache

    cached = try_to_load_from_cache(source.hub_id, filename)
    return Path(cached).parent if isinstance(cached, str) else None


def _hub_answers() -> bool:
    """Whether a connection to the Hub can be made; the library itself would try for half a minute."""
    from huggingface_hub.constants import ENDPOINT

    if getproxies():
        return True  # the proxy decides
    address = urlsplit(ENDPOINT)
    try:
        with socket.create_connection((address.hostname or "", address.port or 443), timeout=HUB_TIMEOUT_S):
            return True
    except OSError:
        return False


def _out_of_reach(hub_id: str) -> InvalidInput:
    return InvalidInput(
        "model",
        hub_id,
        "which is not on this disk, and the Hugging Face Hub cannot be reached",
        "check the connection, or name a local folder or smollm2-135m",
    )


def _check_folder(folder: Path) -> None:
    if not (folder / "config.json").is_file():
        raise InvalidInput("model", str(folder), "a folder without config.json", "name the folder that holds the model")
    if not any(folder.glob("*.safetensors")):
        raise InvalidInput(
            "model",
            str(folder),
            "a folder without .safetensors files",
            "convert the weights: only safetensors are loaded",
        )


def _read(path: Path, name: str) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise InvalidInput(
            "model", name, "whose config.json cannot be read", "download or export the model again"
        ) from None
    if not isinstance(content, dict):
        raise InvalidInput("model", name, "whose config.json is not an object", "download or export the model again")
    return content


def weight_bytes(source: ModelSource) -> int:
    """Bytes of the weight files on this disk; 0 while they are not here."""
    return sum(path.stat().st_size for path in source.folder.glob("*.safetensors")) if source.folder else 0


def check_weights(folder: Path) -> None:
    """Reads the header of every weight file. Raises RunError for one that is cut short or is none."""
    for path in sorted(folder.glob("*.safetensors")):
        problem = _damage(path)
        if problem:
            raise RunError(
                "model-corrupt",
                f"The weight file {path.name} of {folder.name} is damaged: {problem}.",
                "Copy or download the model again.",
            )


def _damage(path: Path) -> str:
    """What is wrong with a safetensors file: 8 bytes with the header's length, the header, then exactly its tensors."""
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= size - 8:
                return "it has no readable header"
            header = json.loads(file.read(length))
        ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError):
        return "it has no readable header"
    wanted = 8 + length + max(ends, default=0)
    return "" if size == wanted else f"it has {size:,} bytes and its header describes {wanted:,}"


def context_length(config: dict[str, Any]) -> int | None:
    """Longest sequence the model was made for, in tokens; None when its config does not say."""
    text = config.get("text_config", config)
    value = text.get("max_position_embeddings")
    return value if isinstance(value, int) else None
