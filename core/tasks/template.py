"""Text with columns of a row in it: "What is the capital of {country}?"."""

import json
import string
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.errors import InvalidInput

FORMATTER = string.Formatter()


@dataclass(frozen=True)
class Template:
    """A text in which `{column}` stands for a row's value; `{{` and `}}` are braces.

    A name alone can stand between braces, so that a template reads a row and nothing else: no attribute, no index, no
    format. Made by `parse_template`.

    parts  (text before, column), the last with column ""
    """

    text: str
    parts: tuple[tuple[str, str], ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns it names, each once, in their order."""
        return tuple(dict.fromkeys(column for _, column in self.parts if column))

    def fill(self, row: Mapping[str, Any]) -> str:
        """The text with this row's values. Raises KeyError for a column that the row lacks."""
        return "".join(before + (written(row[column]) if column else "") for before, column in self.parts)


def parse_template(text: str, field: str) -> Template:
    """Raises InvalidInput, naming `field`, for braces that are no column."""
    remedy = "write {column} for a column's value and {{ for a brace"
    try:
        found = [*FORMATTER.parse(text)]
    except ValueError as error:
        raise InvalidInput(field, text, f"whose braces cannot be read ({error})", remedy) from None
    parts = []
    for before, name, form, conversion in found:
        if name is not None and (form or conversion or not name.strip() or set(name) & set(".[]")):
            raise InvalidInput(field, text, f"which asks for more than a column in {{{name}}}", remedy)
        parts.append((before, name or ""))
    return Template(text, tuple(parts))


def check_columns(template: Template, columns: Mapping[str, Any] | tuple[str, ...], field: str) -> None:
    """Raises InvalidInput for a column that the data does not have."""
    for column in template.columns:
        if column not in columns:
            problem = f"but the data has no column {column}"
            raise InvalidInput(field, template.text, problem, f"use {', '.join(columns)}")


def written(value: Any) -> str:
    """A value as it stands in a prompt: text as it is, numbers as they are written, lists and objects as JSON."""
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, bool | list | dict):
        return json.dumps(value, ensure_ascii=False)
    return str(value)
