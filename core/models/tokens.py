"""The text of single tokens, read from a model's tokenizer.json without the libraries that training needs.

Enough of the format for byte-level vocabularies (GPT-2, Llama 3, Qwen, SmolLM2) and for those that write a space as
U+2581 and single bytes as <0x0A> (Llama 2, Gemma). Where a completion does not come out as it was stored, the answer is
None: then token ids are shown, and never a text that is not so.
"""

import json
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

SPACE = "\u2581"
BYTE = re.compile(r"<0x([0-9A-F]{2})>")
# Chat and control tokens as the common tokenizers write them; a reward function gets a completion's text without them.
SPECIAL = re.compile(r"<\|[A-Za-z0-9_\-. ]{1,40}\|>|</?s>|<(?:bos|eos|pad|unk|start_of_turn|end_of_turn)>")
LARGEST = 64 * 2**20  # of a tokenizer.json, in bytes


class TokenTable:
    """`pieces[id]` is what a token adds to a text, as bytes; a token may hold part of a character."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._pieces = pieces

    def texts(self, ids: Sequence[int], whole: str) -> list[str] | None:
        """The text of each token, "" for one whose character a later token ends; None when they do not make `whole`."""
        if any(not 0 <= each < len(self._pieces) for each in ids):
            return None
        found, waiting = [], b""
        for each in ids:
            waiting += self._pieces[each]
            text, waiting = _decoded(waiting)
            found.append(text)
        if waiting and found:
            found[-1] += waiting.decode("utf-8", "replace")
        made = "".join(found)
        if made == whole:
            return found
        if found and made.lstrip(" ") == whole:  # such tokenizers drop the space before the first word
            found[0] = found[0].lstrip(" ")
            return found if "".join(found) == whole else None
        return None


@lru_cache(maxsize=2)  # some 10 MB each
def load_tokens(folder: Path) -> TokenTable | None:
    """The tokens of the model in this folder; None without a tokenizer.json that can be read."""
    path = folder / "tokenizer.json"
    try:
        if path.stat().st_size > LARGEST:
            return None
        document = json.loads(path.read_text(encoding="utf-8"))
        vocabulary: dict[str, int] = document["model"]["vocab"]
        added: list[tuple[int, str]] = [(row["id"], row["content"]) for row in document.get("added_tokens", [])]
        size = 1 + max([*vocabulary.values(), *(place for place, _ in added)])
        pieces = [b""] * size
        read = _from_byte_level if "ByteLevel" in json.dumps(document.get("decoder")) else _from_pieces
        for text, place in vocabulary.items():
            pieces[place] = read(text)
        for place, text in added:
            pieces[place] = text.encode()
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return TokenTable(pieces)


def _byte_letters() -> dict[str, int]:
    """GPT-2's alphabet: a letter for each byte, the byte itself where it is printable, else one from U+0100 on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + place): byte for place, byte in enumerate(others)}


LETTERS = _byte_letters()


def _from_byte_level(text: str) -> bytes:
    return bytes(LETTERS[letter] for letter in text) if all(letter in LETTERS for letter in text) else text.encode()


def _from_pieces(text: str) -> bytes:
    byte = BYTE.fullmatch(text)
    return bytes([int(byte[1], 16)]) if byte else text.replace(SPACE, " ").encode()


def _decoded(data: bytes) -> tuple[str, bytes]:
    """The whole characters, and up to three bytes that begin another."""
    for tail in range(min(4, len(data) + 1)):
        try:
            end = len(data) - tail
            return data[:end].decode(), data[end:]
        except UnicodeDecodeError:
            continue
    return data.decode("utf-8", "replace"), b""
