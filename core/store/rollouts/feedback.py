"""What people say about completions: a flag, tags and a note."""

import time
from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from core.errors import InvalidInput
from core.store.rollouts.load import get_completion
from core.store.schema import completions, remarks, runs, tags

MOST_TAGS, TAG_LENGTH, NOTE_LENGTH = 20, 40, 4000


def flag(connection: sa.Connection, completion_id: int, flagged: bool) -> None:
    """Puts a completion on the list of flagged ones, or takes it off. Raises NotFound."""
    _put(connection, completion_id, flagged=flagged)


def write_note(connection: sa.Connection, completion_id: int, note: str) -> None:
    """Replaces the note. Raises InvalidInput where it is too long, NotFound."""
    if len(note) > NOTE_LENGTH:
        raise InvalidInput("note", f"{len(note)} characters long", f"more than {NOTE_LENGTH}", "shorten it")
    _put(connection, completion_id, note=note.strip().encode("utf-8", "backslashreplace").decode("utf-8"))


def set_tags(connection: sa.Connection, completion_id: int, names: Iterable[str]) -> None:
    """Replaces the tags. Raises InvalidInput for one that is too long and for too many, NotFound."""
    wanted = sorted({" ".join(name.split()).lower() for name in names} - {""})
    for name in wanted:
        if len(name) > TAG_LENGTH or "," in name:
            raise InvalidInput("tag", name, f"which is longer than {TAG_LENGTH} or has a comma", "shorten it")
    if len(wanted) > MOST_TAGS:
        raise InvalidInput("tags", len(wanted), f"which is more than {MOST_TAGS}", "leave some out")
    get_completion(connection, completion_id)
    connection.execute(sa.delete(tags).where(tags.c.completion == completion_id))
    if wanted:
        connection.execute(sa.insert(tags), [{"completion": completion_id, "tag": name} for name in wanted])


def known_tags(connection: sa.Connection, run_id: str = "") -> list[str]:
    """Every tag that is in use, in one run or in all."""
    query = sa.select(tags.c.tag).distinct().order_by(tags.c.tag)
    if run_id:
        # From the tags, which people gave one by one, to their completions; SQLite would go the other way.
        run = sa.select(runs.c.key).where(runs.c.id == run_id).scalar_subquery()
        tagged = sa.select(completions.c.run).with_hint(completions, "NOT INDEXED", "sqlite")
        tagged = tagged.where(completions.c.id == tags.c.completion)
        query = query.where(tagged.scalar_subquery() == run)
    return list(connection.execute(query).scalars())


def _put(connection: sa.Connection, completion_id: int, **changes: object) -> None:
    get_completion(connection, completion_id)
    values = {"flagged": False, "note": "", **changes, "completion": completion_id, "at": time.time()}
    written = insert(remarks).values(values)
    connection.execute(
        written.on_conflict_do_update(index_elements=["completion"], set_={**changes, "at": time.time()})
    )
