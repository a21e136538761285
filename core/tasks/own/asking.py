"""What a task file's prompt makes of a row."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from core.errors import InvalidInput
from core.tasks.own.spec import Prompt
from core.tasks.task import Message
from core.tasks.template import Template, check_columns, parse_template


class Asking:
    """The messages, the key and the gold answer of a row.

    available  the columns that the data has
    Raises InvalidInput for a template that asks for others.
    """

    def __init__(self, prompt: Prompt, available: tuple[str, ...]) -> None:
        self.prompt, self.available = prompt, available
        self._system, self._user = self._template("system"), self._template("user")
        self._gold = self._template("gold")
        if prompt.messages and prompt.messages not in available:
            problem = "which the data does not have"
            raise InvalidInput("prompt.messages", prompt.messages, problem, f"use one of {', '.join(available)}")

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The columns that the prompt reads, those of the gold answer too."""
        named = (*self._system.columns, *self._user.columns, *self._gold.columns)
        return tuple(dict.fromkeys((*named, *([self.prompt.messages] if self.prompt.messages else []))))

    def is_chat(self, column: str) -> bool:
        return column == self.prompt.messages

    def messages(self, row: Mapping[str, Any], shown: Sequence[Mapping[str, Any]] = ()) -> tuple[Message, ...]:
        """The prompt: system, the shown rows with their answers, and the question; or the row's own chat."""
        if self.prompt.messages:
            chat = row[self.prompt.messages]
            asked = tuple(Message(role=str(each["role"]), content=str(each["content"])) for each in chat)
            # A chat that ends with its answer would hand it to the model.
            return asked[:-1] if asked and asked[-1]["role"] == "assistant" else asked
        found = [Message(role="system", content=self._system.fill(row))] if self.prompt.system else []
        for each in shown:
            found.append(Message(role="user", content=self._user.fill(each)))
            found.append(Message(role="assistant", content=self._gold.fill(each)))
        return (*found, Message(role="user", content=self._user.fill(row)))

    def key(self, row: Mapping[str, Any]) -> str:
        """What a row is told from others by: what is asked, without the rows shown before it."""
        return "\0".join(message["content"] for message in self.messages(row))

    def gold(self, fields: Mapping[str, Any]) -> str:
        """The gold answer of a row, "" where the task has none."""
        return self._gold.fill(fields) if self.prompt.gold else ""

    def _template(self, part: str) -> Template:
        template = parse_template(getattr(self.prompt, part), f"prompt.{part}")
        check_columns(template, self.available, f"prompt.{part}")
        return template
