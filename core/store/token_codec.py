"""Token data as compact bytes.

Token ids take 2 bytes each when all are below 65,536, else 4; log-probabilities and entropies are half-precision floats
of 2 bytes: three digits, which is more than a bf16 model and its engine agree on. So a token costs 4 bytes in a
vocabulary below 65,536, and 2 more for each further measure. One byte in front says how wide the items are; a blob
without it (its size is even) was written by an older version, with items of 4 bytes.
"""

import hashlib
import math
import struct
from collections.abc import Mapping, Sequence
from typing import Any

HALF_MAX = 65504.0  # the largest number that half precision can hold
IDS: Mapping[int, str] = {2: "H", 4: "i"}
FLOATS: Mapping[int, str] = {2: "e", 4: "f"}


def encode_ids(ids: Sequence[int]) -> bytes:
    """(T,) token ids as little-endian integers."""
    width = 2 if not ids or max(ids) < 2**16 else 4
    return bytes([width]) + struct.pack(f"<{len(ids)}{IDS[width]}", *ids)


def decode_ids(packed: bytes) -> tuple[int, ...]:
    return _decode(packed, IDS)


def encode_floats(values: Sequence[float]) -> bytes:
    """(T,) numbers as little-endian half-precision floats; what is beyond their range becomes their largest."""
    held = (value if math.isnan(value) else max(-HALF_MAX, min(HALF_MAX, value)) for value in values)
    return b"\x02" + struct.pack(f"<{len(values)}e", *held)


def decode_floats(packed: bytes) -> tuple[float, ...]:
    return _decode(packed, FLOATS)


def prompt_key(prompt: str) -> int:
    """A 64-bit number that equal prompts share."""
    return int.from_bytes(hashlib.sha256(prompt.encode()).digest()[:8], "little", signed=True)


def _decode(packed: bytes, kinds: Mapping[int, str]) -> tuple[Any, ...]:
    width, items = (packed[0], packed[1:]) if len(packed) % 2 else (4, packed)
    return struct.unpack(f"<{len(items) // width}{kinds[width]}", items)
