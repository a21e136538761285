"""What is seen in the columns of a table's first rows."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from core.tasks.data.rows import Json, Row

MEDIA_ENDINGS = {
    "images": (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff"),
    "audio": (".wav", ".mp3", ".flac", ".ogg", ".m4a", ".opus"),
    "video": (".mp4", ".webm", ".mov", ".avi", ".mkv"),
}
MEDIA = (*MEDIA_ENDINGS, "bytes")
MAX_SHOWN_COLUMNS = 200


@dataclass(frozen=True)
class Column:
    """A column as the first rows show it.

    types   what was seen, the most frequent first: "text", "number", "boolean", "list", "object", "messages" (a chat),
            "nothing" (null, or not there); or one of "images", "audio", "video", "bytes", which no task can use
    sample  the first value that is not empty; None where there was none, or where it is not read
    """

    name: str
    types: tuple[str, ...]
    sample: Json

    @property
    def media(self) -> str:
        """ "images", "audio", "video" or "bytes" where it holds that; else empty."""
        return next((each for each in self.types if each in MEDIA), "")


def type_of(value: Json) -> str:
    """The word for a value's type, as `Column.types` has them."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "text"
    if isinstance(value, dict):
        return "object"
    return "messages" if value and all(is_message(part) for part in value) else "list"


def is_message(value: Json) -> bool:
    """Whether this is {"role": text, "content": text}, whatever else is in it."""
    return isinstance(value, dict) and isinstance(value.get("role"), str) and isinstance(value.get("content"), str)


def observe(names: Sequence[str], rows: Sequence[Row], media: Mapping[str, str]) -> tuple[Column, ...]:
    """The columns of these rows. `names` come first and in this order; others as they appear."""
    found = dict.fromkeys(names)
    for row in rows:
        if len(found) >= MAX_SHOWN_COLUMNS:
            break
        found.update(dict.fromkeys(row))
    return tuple(
        _column(name, [row.get(name) for row in rows], media.get(name)) for name in [*found][:MAX_SHOWN_COLUMNS]
    )


def _column(name: str, values: Sequence[Json], media: str | None) -> Column:
    if media:
        return Column(name, (media,), None)
    sample = next((value for value in values if value not in (None, "", [], {})), None)
    types = tuple(word for word, _ in Counter(map(type_of, values)).most_common())
    paths = _paths(values)
    return Column(name, (paths, *types) if paths else types or ("nothing",), sample)


def _paths(values: Iterable[Json]) -> str:
    """ "images" where all values are names of image files, and so on; else empty."""
    filled = [value for value in values if value not in (None, "")]
    texts = [value.lower() for value in filled if isinstance(value, str) and len(value) < 1000]
    if not filled or len(texts) < len(filled):
        return ""
    return next((kind for kind, ends in MEDIA_ENDINGS.items() if all(text.endswith(ends) for text in texts)), "")
