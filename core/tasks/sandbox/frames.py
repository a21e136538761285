"""Frames between a child and its parent, as the child reads and writes them: 4 bytes of length, then JSON.

The functions that encode are taken here, before a user's file is loaded, so that a file which replaces `json.dumps` or
`os.write` spoils its own calls and not the frames.
"""

from json import JSONDecoder, JSONEncoder
from os import read, write
from struct import Struct
from typing import Any

HEADER = Struct("<I")
LARGEST_REQUEST = 512 << 20
LARGEST_REPLY = 8 << 20  # bytes; as Python objects they can take twenty times that in the parent

_encode = JSONEncoder().encode
_decode = JSONDecoder().decode


def encoded(value: Any) -> bytes:
    """Header and body of one frame. Raises TypeError for what JSON cannot hold."""
    body = _encode(value).encode("ascii")
    return HEADER.pack(len(body)) + body


class Channel:
    """The child's end of its two pipes."""

    def __init__(self, incoming: int, outgoing: int) -> None:
        self._incoming, self._outgoing, self._read, self._write = incoming, outgoing, read, write

    def receive(self) -> Any:
        """The next frame. Raises EOFError when the parent is gone."""
        (length,) = HEADER.unpack(self._take(HEADER.size))
        return _decode(self._take(length).decode("ascii"))

    def send(self, value: Any) -> None:
        """Sends one frame, or one that says it was too large."""
        frame = encoded(value)
        if len(frame) > LARGEST_REPLY:
            frame = encoded({"id": value.get("id"), "refused": f"the answer has more than {LARGEST_REPLY >> 20} MiB"})
        rest = memoryview(frame)
        while rest:
            rest = rest[self._write(self._outgoing, rest) :]

    def _take(self, count: int) -> bytes:
        parts = bytearray()
        while len(parts) < count:
            part = self._read(self._incoming, min(1 << 20, count - len(parts)))
            if not part:
                raise EOFError
            parts += part
        return bytes(parts)
