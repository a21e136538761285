"""What was pressed in a panel: `grouper.js` sends it along with the event, and handlers read it here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr


@dataclass(frozen=True)
class Pressed:
    """What a browser says was pressed. It may say anything: handlers check what they take from it.

    id      what the button or the control is called, or the value that was chosen with it
    ids     the ticked rows of the table that a button acts on
    fields  what stands in the fields of the form around it, by their names
    """

    id: str
    ids: tuple[str, ...]
    fields: Mapping[str, Any]

    @property
    def action(self) -> str:
        """What is to be done: "untag" of the id "untag:best"."""
        return self.id.partition(":")[0]

    @property
    def about(self) -> str:
        """What it is to be done with: "best" of the id "untag:best", and nothing where the id names nothing."""
        return self.id.partition(":")[2]

    def field(self, name: str) -> str:
        return str(self.fields.get(name, ""))


def pressed(event: gr.EventData) -> Pressed:
    """An event's data, as attributes of the event is how Gradio hands them out."""
    name, ids, fields = (getattr(event, part, None) for part in ("id", "ids", "fields"))
    return Pressed(
        name if isinstance(name, str) else "",
        tuple(str(one) for one in ids) if isinstance(ids, list) else (),
        fields if isinstance(fields, dict) else {},
    )
