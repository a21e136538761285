"""The errors Grouper raises on purpose.

GrouperError                what a person can act on; its text is one sentence
├── InvalidInput            a value somebody gave: names the field, the value and the remedy (exit code 2)
├── NotFound                a run, model, recipe or GPU that does not exist (exit code 2)
├── StoreError              the database refused or is not usable
│   ├── StoreBusy           it is locked or its disk is full: the same may work in a while
│   ├── IllegalTransition   a run may not go from this status to that one
│   └── Unreadable           what is stored has a form that this version cannot read
├── RunError                a run cannot go on: a kind, a message, a remedy, stored with the run (exit code 1)
└── StopRequested           somebody asked the run to end while it was loading
"""


class GrouperError(Exception):
    """Base of every error whose text is meant for the user."""


class InvalidInput(GrouperError):
    """A value that cannot work, said before anything is loaded.

    Reads "`rank` is 24, which the engine cannot serve: choose 16 or 32."
    """

    def __init__(self, field: str, value: object, problem: str, remedy: str) -> None:
        self.field, self.value, self.problem, self.remedy = field, value, problem, remedy
        super().__init__(f"`{field}` is {shown(value)}, {problem}: {remedy.rstrip('.')}.")


class NotFound(InvalidInput):
    """Something named that does not exist."""


class StoreError(GrouperError):
    """The database cannot be used as asked."""


class StoreBusy(StoreError):
    """The database is locked by another process, or its disk is full. What was to be written was not."""


class IllegalTransition(StoreError):
    """A run may not make this move from the status it is in."""


class Unreadable(StoreError):
    """Something is stored in a form that this version cannot read.

    problem  what is not understood, as the rest of "This run cannot be read: ..."
    remedy   what to do, beginning with a verb
    """

    def __init__(self, problem: str, remedy: str) -> None:
        self.problem, self.remedy = problem, remedy
        super().__init__(f"This run cannot be read: {problem}. What you can do: {remedy}.")


class RunError(GrouperError):
    """The reason a run ended without completing.

    kind     one word a program can match, such as "engine" or "disk-full"
    message  what happened, one sentence
    remedy   what to change, one sentence
    """

    def __init__(self, kind: str, message: str, remedy: str) -> None:
        self.kind, self.message, self.remedy = kind, message, remedy
        super().__init__(f"{message} {remedy}")


class StopRequested(GrouperError):
    """The run was asked to end before its first step."""


def shown(value: object, limit: int = 80) -> str:
    """A value as it appears in a sentence: text in quotes, long values cut and marked."""
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
