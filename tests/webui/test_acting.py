"""What handlers are told, what the buttons of a run's page are for, and what becomes of an error."""

import inspect
import re
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from samples import STEPS, add_run, end_run
from test_components import NOW, run_of

from core.errors import InvalidInput
from core.records.run import Run
from core.records.status import RunStatus
from core.settings import load_settings
from core.store.runs import queries
from webui.components.notes_panel import notes_panel
from webui.components.run_controls import controls
from webui.pages.frame import attempt, or_else, refusal
from webui.pages.pressed import Pressed, pressed
from webui.pages.run_actions import ACTIONS, act_on
from webui.services import open_services

RUNS = (
    run_of(tags=("best: yet",)),
    *(run_of(status) for status in RunStatus),
    run_of(RunStatus.COMPLETED, archived_at=NOW),
)


def press(name: str, **fields: str) -> Pressed:
    return pressed(gr.EventData(None, {"id": name, "fields": fields}))


def test_an_event_says_what_was_pressed() -> None:
    assert pressed(gr.EventData(None, {"id": "untag:a: b", "ids": ["x", 7], "fields": {"tag": "best"}})) == Pressed(
        "untag:a: b", ("x", "7"), {"tag": "best"}
    )
    assert (press("untag:a: b").action, press("untag:a: b").about) == ("untag", "a: b")
    assert (press("tag", tag="best").about, press("tag", tag="best").field("tag")) == ("", "best")


@pytest.mark.parametrize("said", [{}, {"id": None, "ids": None, "fields": None}, {"id": 7, "ids": "x", "fields": []}])
def test_what_no_page_of_ours_sends_says_nothing(said: dict[str, Any]) -> None:
    assert pressed(gr.EventData(None, said)) == Pressed("", (), {})


def offered(run: Run, may_change: bool) -> set[str]:
    html = controls(run, NOW, paused=False, may_change=may_change) + notes_panel(run, may_change)
    return set(re.findall(r'data-trigger="apply" data-id="([^":]+)', html))


def test_every_button_of_a_runs_page_has_its_action_and_every_action_a_button() -> None:
    assert set().union(*(offered(run, True) for run in RUNS)) == set(ACTIONS)
    assert set().union(*(offered(run, False) for run in RUNS)) == set()


def test_an_action_changes_the_run_or_says_why_it_did_not(tmp_path: Path) -> None:
    services = open_services(load_settings({"GROUPER_HOME": str(tmp_path)}))
    run = add_run(services.database, "a run", STEPS)
    assert "can be archived when it has ended" in act_on(services, run.id, press("archive"))
    end_run(services.database, run, RunStatus.COMPLETED)
    for doing in (press("tag", tag="best: yet"), press("notes", notes="as planned"), press("archive")):
        assert act_on(services, run.id, doing) == ""
    with services.database.reading() as connection:
        kept = queries.get_run(connection, run.id)
    assert (kept.tags, kept.notes, bool(kept.archived_at)) == (("best: yet",), "as planned", True)
    for doing in (press("untag:best: yet"), press("restore")):
        assert act_on(services, run.id, doing) == ""
    with services.database.reading() as connection:
        kept = queries.get_run(connection, run.id)
    assert (kept.tags, kept.archived_at) == ((), None)
    assert "which is not a whole number" in act_on(services, run.id, press("extend", steps="many"))
    unknown = act_on(services, run.id, press("explode"))
    assert "Nothing was changed" in unknown
    assert "which is unknown" in unknown
    services.close()


def test_a_handler_that_fails_answers_with_the_reason_and_stays_what_gradio_reads() -> None:
    @or_else(lambda error: [str(error), ""])
    def arrive(request: gr.Request, wanted: int) -> list[str]:
        return ["there", str(10 // wanted)]

    assert arrive(gr.Request(), 2) == ["there", "5"]
    assert arrive(gr.Request(), 0) == ["integer division or modulo by zero", ""]
    assert arrive.__name__ == "arrive"
    assert [*inspect.signature(arrive).parameters] == ["request", "wanted"]
    assert attempt(lambda: 1 // 0, lambda error: type(error).__name__) == "ZeroDivisionError"


def test_what_was_refused_is_said_in_its_own_words_and_anything_else_by_its_kind() -> None:
    def refuse() -> None:
        raise InvalidInput("tag", "x", "which is odd", "write another")

    def fail() -> None:
        raise RuntimeError("a secret <b>path</b>")

    assert refusal("That was not kept", lambda: None) == ""
    assert "which is odd" in refusal("That was not kept", refuse)
    failed = refusal("That was not kept", fail)
    assert "Something unexpected went wrong" in failed
    assert "RuntimeError: a secret &lt;b&gt;path&lt;/b&gt;" in failed
