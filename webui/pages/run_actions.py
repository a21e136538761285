"""What the buttons of a run's page do to the run. Registered only where runs may be changed."""

from collections.abc import Callable, Mapping

from core.errors import InvalidInput
from core.jobs import submission
from core.jobs.resume import resume_run
from core.store.runs import notes
from webui.pages.frame import refusal
from webui.pages.pressed import Pressed
from webui.services import Services

Work = Callable[[Services, str, Pressed], object]


def act_on(services: Services, run_id: str, press: Pressed) -> str:
    """Does what a button is for: nothing when it is done, otherwise the panel that says why it is not."""
    doing, work = ACTIONS.get(press.action, ("Nothing was changed", _refuse))
    return refusal(doing, lambda: work(services, run_id, press))


def _refuse(_services: Services, _run_id: str, press: Pressed) -> None:
    raise InvalidInput("action", press.id, "which is unknown", "use the buttons of the page")


def _stop(services: Services, run_id: str, _press: Pressed) -> None:
    submission.stop(services.database, run_id, "page")


def _stop_now(services: Services, run_id: str, _press: Pressed) -> None:
    submission.stop(services.database, run_id, "page", now=True)


def _resume(services: Services, run_id: str, _press: Pressed) -> None:
    resume_run(services.database, services.settings, run_id, "page")


def _extend(services: Services, run_id: str, press: Pressed) -> None:
    steps = _whole("steps", press.field("steps"))
    resume_run(services.database, services.settings, run_id, "page", steps)


def _delete(services: Services, run_id: str, _press: Pressed) -> None:
    submission.delete(services.database, services.settings, run_id)


def _archive(services: Services, run_id: str, press: Pressed) -> None:
    with services.database.writing() as connection:
        notes.archive(connection, run_id, press.action == "archive", "page")


def _tag(services: Services, run_id: str, press: Pressed) -> None:
    with services.database.writing() as connection:
        notes.tag(connection, run_id, add=[press.field("tag")])


def _untag(services: Services, run_id: str, press: Pressed) -> None:
    with services.database.writing() as connection:
        notes.tag(connection, run_id, remove=[press.about])


def _write_notes(services: Services, run_id: str, press: Pressed) -> None:
    with services.database.writing() as connection:
        notes.write_notes(connection, run_id, press.field("notes"))


def _whole(field: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 8):
        raise InvalidInput(field, text, "which is not a whole number", "write for example 80")
    return int(text)


# What a button's id begins with -> what is said when it could not be done, and what does it.
ACTIONS: Mapping[str, tuple[str, Work]] = {
    "stop": ("The run was not stopped", _stop),
    "stop-now": ("The run was not stopped", _stop_now),
    "resume": ("The run was not resumed", _resume),
    "extend": ("The run was not extended", _extend),
    "delete": ("The run was not deleted", _delete),
    "archive": ("That was not kept", _archive),
    "restore": ("That was not kept", _archive),
    "tag": ("That was not kept", _tag),
    "untag": ("That was not kept", _untag),
    "notes": ("That was not kept", _write_notes),
}
