"""What people add: tags, notes, the archive, and settings kept by name."""

import json
import time
from collections.abc import Iterable

import sqlalchemy as sa

from core.config import RunConfig
from core.config.upgrade import as_stored, read_stored
from core.errors import IllegalTransition, InvalidInput, NotFound, Unreadable
from core.records.run import Preset
from core.store.runs.lifecycle import add_event, update
from core.store.runs.queries import get_run
from core.store.schema import presets

MOST_TAGS, LONGEST_TAG, LONGEST_NOTES, LONGEST_NAME = 20, 40, 20_000, 80


def tag(connection: sa.Connection, run_id: str, add: Iterable[str] = (), remove: Iterable[str] = ()) -> tuple[str, ...]:
    """Adds and removes tags; returns those the run has then. Raises InvalidInput for too many or too long ones."""
    run = get_run(connection, run_id)
    run.must_be_readable()
    before = run.tags
    wanted = {" ".join(word.split()) for word in add} - {""}
    for word in wanted:
        if len(word) > LONGEST_TAG or "," in word:
            raise InvalidInput(
                "tag", word, f"which is longer than {LONGEST_TAG} characters or has a comma", "shorten it"
            )
    after = tuple(sorted(({*before} | wanted) - {*remove}, key=str.casefold))
    if len(after) > MOST_TAGS:
        raise InvalidInput("tag", len(after), f"more than the {MOST_TAGS} tags a run may have", "remove some first")
    if after != before:
        update(connection, run_id, tags=json.dumps(after, ensure_ascii=False))
    return after


def write_notes(connection: sa.Connection, run_id: str, notes: str) -> None:
    """Replaces the run's notes. Raises InvalidInput for more text than a note is."""
    get_run(connection, run_id)
    if len(notes) > LONGEST_NOTES:
        raise InvalidInput("notes", notes, f"longer than {LONGEST_NOTES:,} characters", "keep long texts elsewhere")
    update(connection, run_id, notes=notes.strip())


def archive(connection: sa.Connection, run_id: str, archived: bool, who: str) -> None:
    """Takes a run that has ended out of the list of runs, or brings it back. Nothing of it is lost."""
    run = get_run(connection, run_id)
    if archived and not run.status.is_final:
        raise IllegalTransition(f"Run {run_id} is {run.status}; it can be archived when it has ended.")
    if archived == (run.archived_at is not None):
        return
    update(connection, run_id, archived_at=time.time() if archived else None)
    add_event(connection, run_id, "archived" if archived else "restored", "Archived." if archived else "Restored.", who)


def save_preset(connection: sa.Connection, name: str, config: RunConfig) -> Preset:
    """Keeps settings under a name; the same name again replaces them."""
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME:
        raise InvalidInput("preset", name, f"no name of 1 to {LONGEST_NAME} characters", "give the preset a short name")
    delete_preset(connection, name)
    preset = Preset(name, config, time.time())
    connection.execute(sa.insert(presets).values(name=name, config=as_stored(config), saved_at=preset.saved_at))
    return preset


def delete_preset(connection: sa.Connection, name: str) -> None:
    connection.execute(sa.delete(presets).where(presets.c.name == name))


def preset_names(connection: sa.Connection) -> list[str]:
    return list(connection.execute(sa.select(presets.c.name).order_by(sa.func.lower(presets.c.name))).scalars())


def get_preset(connection: sa.Connection, name: str) -> Preset:
    row = connection.execute(sa.select(presets).where(presets.c.name == name)).one_or_none()
    if row is None:
        raise NotFound("preset", name, "which does not exist", "choose one from the list")
    try:
        config = read_stored(row.config)
    except Unreadable as error:
        raise InvalidInput("preset", name, f"which cannot be read: {error.problem}", error.remedy) from None
    return Preset(row.name, config, row.saved_at)
