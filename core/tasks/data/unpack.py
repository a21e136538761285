"""A .gz file's content, unpacked into the cache, where its rows can be reached by number."""

import gzip
import os
import shutil
import zlib
from pathlib import Path
from uuid import uuid4

from core.errors import InvalidInput
from core.tasks.data.index import CHUNK, file_key
from core.tasks.data.rows import Progress
from core.units import GIB, gib

MAX_UNPACKED = 50 * GIB
MAX_RATIO = 200  # text packs ten- to thirtyfold; a file of nothing a thousandfold
FREE = 2 * GIB  # left on the disk


def unpack(path: Path, cache: Path, progress: Progress | None = None) -> Path:
    """The unpacked file; `progress` gets bytes of the packed one.

    Raises InvalidInput for a damaged file, and for one that unpacks to more than text does or the disk has room for.
    """
    unpacked = cache / "unpacked" / file_key(path, "gz")
    if unpacked.is_file():
        return unpacked
    unpacked.parent.mkdir(parents=True, exist_ok=True)
    unfinished = unpacked.with_name(f".{uuid4().hex}")
    size = path.stat().st_size
    limit = min(MAX_UNPACKED, max(CHUNK, size * MAX_RATIO))
    room = shutil.disk_usage(unpacked.parent).free - FREE
    try:
        with path.open("rb") as packed, gzip.open(packed) as source, unfinished.open("wb") as target:
            written = 0
            while chunk := source.read(CHUNK):
                written += len(chunk)
                if written > min(limit, room):
                    short = f", and the disk of {unpacked.parent} has no more room" if room < limit else ""
                    problem = f"which unpacks to more than {gib(max(0, min(limit, room)))}{short}"
                    raise InvalidInput("data", path.name, problem, "unpack it yourself and name the file in it")
                target.write(chunk)
                if progress:
                    progress(packed.tell(), size)
        os.replace(unfinished, unpacked)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise InvalidInput("data", path.name, "which is damaged or no gzip file", "copy it again") from None
    finally:
        unfinished.unlink(missing_ok=True)
    return unpacked
