"""What a child can load: a user's file, functions of this project, nothing, or one program.

Each prepares the folder of a child that is about to start, and tells what the child must be able to read.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from core.errors import InvalidInput, NotFound
from core.settings import PROJECT
from core.tasks.sandbox.own_code import OWN_FOLDER

LARGEST_FILE = 1 << 20  # bytes
BUILDER = re.compile(r"core\.tasks(\.[a-z]\w*)+:[a-z]\w*")


@dataclass(frozen=True)
class Prepared:
    """program: what the child is told; readable: paths that it needs beside Python's own and the system's."""

    program: Mapping[str, Any]
    readable: tuple[str, ...] = ()


class Source(Protocol):
    """What a child loads."""

    def prepare(self, folder: Path) -> Prepared:
        """Puts into the folder of a new child what it is to load. Raises InvalidInput."""


@dataclass(frozen=True)
class OwnFile:
    """A user's Python file, and the sha256 of the text that the user has seen and agreed to."""

    path: Path
    sha256: str

    def prepare(self, folder: Path) -> Prepared:
        """A copy that only the child's user can read. Raises InvalidInput when the file has changed."""
        content = read_bytes(self.path)
        if fingerprint(content) != self.sha256:
            raise InvalidInput(
                "file", self.path.name, "which has changed since it was agreed to", "read it again and agree to it"
            )
        inside = folder / OWN_FOLDER
        inside.mkdir()
        # The name of a module, and nothing else that could stand in a path.
        copy = inside / f"{self.path.stem if self.path.stem.isidentifier() else 'rewards'}.py"
        copy.write_bytes(content)
        copy.chmod(0o444)
        return Prepared({"kind": "own", "path": str(copy)}, (str(inside),))


@dataclass(frozen=True)
class Library:
    """Reward functions of this project, built inside the child.

    builder  "MODULE:FUNCTION" below core.tasks; the function makes of a spec a scorer (completion, fields) -> score
    specs    name -> what the builder is given, as JSON holds it
    """

    builder: str
    specs: Mapping[str, Any]

    def prepare(self, folder: Path) -> Prepared:
        """Raises InvalidInput for a builder outside core.tasks."""
        if not BUILDER.fullmatch(self.builder):
            raise InvalidInput("builder", self.builder, "which is not one of core.tasks", "write MODULE:FUNCTION of it")
        program = {"kind": "library", "builder": self.builder, "specs": dict(self.specs)}
        return Prepared(program, (str(PROJECT / "core"),))


@dataclass(frozen=True)
class Trial:
    """Nothing foreign: the child tries what it should not be able to do."""

    def prepare(self, folder: Path) -> Prepared:
        return Prepared({"kind": "trial"})


@dataclass(frozen=True)
class Program:
    """The text of one program."""

    text: str

    def prepare(self, folder: Path) -> Prepared:
        return Prepared({"kind": "source", "source": self.text})


def own_file(path: Path) -> OwnFile:
    """The file as it is now. Raises NotFound and InvalidInput."""
    return OwnFile(path, fingerprint(read_bytes(path)))


def fingerprint(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def read_bytes(path: Path) -> bytes:
    """Raises NotFound, and InvalidInput for a file that cannot be read or is too large."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        raise NotFound("file", str(path), "which does not exist", "give the path of a Python file") from None
    except OSError as error:
        raise InvalidInput("file", str(path), f"which cannot be read ({error.strerror})", "give another") from None
    if len(content) > LARGEST_FILE:
        raise InvalidInput("file", path.name, f"which has more than {LARGEST_FILE >> 20} MiB", "give a smaller one")
    return content
