"""A run as a folder that others can open without Grouper."""

import json
import shutil
from pathlib import Path

from core import documents
from core.errors import InvalidInput
from core.export import export, formats
from core.settings import Settings
from core.store import Database
from core.store.runs import queries
from core.store.search.filter import CompletionFilter


def export_run(database: Database, settings: Settings, run_id: str, folder: Path) -> list[str]:
    """Writes run.json, steps.jsonl, the completions in every format there is, and the adapter; returns their names.

    Raises InvalidInput where the folder holds something already, NotFound for a run that is not there.
    """
    with database.reading() as connection:
        summary = queries.summarise(connection, run_id)
        events = queries.list_events(connection, run_id)
        steps = documents.steps_json(queries.list_steps(connection, run_id))
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InvalidInput("--to", str(folder), "which is there already", "name a new folder")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run.json").write_text(documents.to_json(documents.detail_json(summary, events)) + "\n", encoding="utf-8")
    (folder / "steps.jsonl").write_text("".join(json.dumps(step) + "\n" for step in steps), encoding="utf-8")
    written = ["run.json", "steps.jsonl"]
    for form in formats():
        name = f"completions.{form}"
        with (folder / name).open("wb") as file:
            for piece in export(database, run_id, CompletionFilter(sort="oldest"), form):
                file.write(piece)
        written.append(name)
    adapter = settings.run_folder(run_id) / "adapter"
    if adapter.is_dir():
        shutil.copytree(adapter, folder / "adapter")
        written.append("adapter")
    return written
