"""What a run was trained on, as its folder keeps it: the task file, the Python file, and what that one ran under."""

from pathlib import Path
from urllib.parse import urlencode

from core.records.run import Run
from core.tasks.sandbox.levels import LEVELS
from core.tasks.template import written
from webui.components.task_view import file_view, protection_view
from webui.present import esc, own

KEPT = "task"  # in the run's folder


def task_panel(run: Run, folder: Path) -> str:
    """A fold with the task's files; "" for a run that keeps none, such as one that has not started yet."""
    if run.unreadable or not (folder / KEPT).is_dir():
        return ""
    kept = sorted((folder / KEPT).iterdir(), key=lambda path: path.suffix != ".toml")
    files = "".join(map(file_view, kept))
    address = esc(f"task?{urlencode({'name': run.config.recipe})}")
    name = written(run.facts.get("sandbox", ""))
    level = next((protection_view(level) for level in LEVELS if level.name == name), "")
    return (
        '<details class="fold" data-key="task"><summary>Task</summary>'
        f'<p><a href="{address}">{own(run.config.recipe)}</a></p>{level}{files}</details>'
    )
