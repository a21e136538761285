"""`/doctor`: what is installed here, what works, and what to do about what does not."""

from collections.abc import Iterator
from typing import Any

import gradio as gr

from core.insights.known_failures import load_known_failures
from core.jobs import doctor
from webui.components.checks import checks_view, known_failures_view, versions_table
from webui.components.live import live, still
from webui.language import words
from webui.pages.frame import QUIET, error_panel, or_else, page_body, title
from webui.present import skeleton
from webui.services import Services
from webui.upstream.gradio import expected

AT_A_GLANCE = "What can be seen at a glance is in order. Run all checks to try the rest."
NOTE = "Looking takes a second. Trying starts the engine on the built-in model, which takes a minute on a CPU."


def build(app: gr.Blocks, services: Services) -> None:
    with page_body():
        with gr.Row(elem_classes="title-line"):
            still(title("Doctor", NOTE))
            button = gr.Button(
                words("Run all checks"), variant="primary", scale=0, elem_id="examine", visible=not services.read_only
            )
        found = live(skeleton(9), elem_id="checks")
        with gr.Row(elem_classes="split"):
            with gr.Column(elem_classes="card", scale=7, min_width=320):
                still("<h2>What goes wrong, and what to do</h2>")
                still(known_failures_view(load_known_failures()))
            with gr.Column(elem_classes="card", scale=5, min_width=320):
                still("<h2>Versions</h2>")
                installed = live(skeleton(6), elem_id="versions")

    def render() -> list[Any]:
        return [_looked(services), versions_table(doctor.versions(services.settings))]

    def examine() -> Iterator[list[Any]]:
        yield from _examined(services)

    app.load(render, None, [found, installed], **QUIET)
    if not services.read_only:
        button.click(examine, None, [found, button], **QUIET)


@or_else(lambda error: error_panel(error, "The checks could not be made"))
def _looked(services: Services) -> str:
    """What can be read without trying anything; the rest waits for the button."""
    checks = [*doctor.examine(services.settings, quick=True), _gradio()]
    waiting = [doctor.Check(name, "skipped", f"{doing}.") for name, doing in doctor.TRIED]
    sound = all(check.state == "ok" for check in checks)
    return checks_view([*checks, *waiting], AT_A_GLANCE if sound else doctor.verdict(checks))


def _gradio() -> doctor.Check:
    """What of Gradio, which this very process runs, is not as expected."""
    unlike = expected()
    message = " ".join(unlike) or "Gradio is as expected."
    return doctor.Check("dashboard", "warning" if unlike else "ok", message)


def _examined(services: Services) -> Iterator[list[Any]]:
    """Every check as it is done, the one being made in its place."""
    done = {"dashboard": _gradio()}
    busy = gr.Button(words("Checking"), interactive=False)
    try:
        for check in doctor.examine(services.settings):
            done[check.name] = check
            waiting = [doctor.Check(name, "skipped", "Waiting.") for name, _ in doctor.TRIED if name not in done]
            yield [checks_view([*done.values(), *waiting], "Checking"), busy]
    except Exception as error:  # comes after checks that are shown already: not one answer instead of another
        yield [error_panel(error, "The checks could not be made"), gr.Button(words("Run all checks"), interactive=True)]
        return
    checks = list(done.values())
    yield [checks_view(checks, doctor.verdict(checks)), gr.Button(words("Run all checks"), interactive=True)]
