"""The run of a form in other shapes: as a command line and as JSON, both to copy; and errors at their fields."""

from collections.abc import Iterable
from pathlib import Path

from core import documents
from core.config import RunConfig
from core.errors import InvalidInput
from webui.present import copyable, esc, worded


def copy_as(config: RunConfig, tasks: Path) -> str:
    command = copyable("As a command line", documents.command_line(config, tasks), key="command")
    return command + copyable("As JSON", documents.config_json(config), key="json")


def field_errors(errors: Iterable[Exception] = ()) -> str:
    """Errors that name a field of the form, for `grouper.js` to say under it; "no errors" clears the old ones."""
    said = "".join(
        f'<p data-error-field="{esc(error.field.split(".")[0])}">{worded(str(error))}</p>'
        for error in errors
        if isinstance(error, InvalidInput)
    )
    return f"<div hidden data-errors>{said}</div>"
