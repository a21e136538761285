"""`/about`: what this is, which versions of everything it runs on, where its state lies."""

import gradio as gr

import core
from core.jobs import doctor
from core.store.integrity import size_bytes
from core.units import gib
from webui.components.checks import versions_table
from webui.components.live import live, still
from webui.pages.frame import QUIET, error_panel, or_else, page_body, title
from webui.present import definitions, esc, skeleton
from webui.services import Services

WORDS = (
    ("Step", "One round: completions are sampled, scored and compared, and the adapter is updated."),
    ("Group", "All completions of one prompt in one step; their rewards are compared with each other."),
    ("Reward", "The weighted sum of what the recipe's reward functions say about a completion."),
    ("Advantage", "How much better a completion was than the others of its group."),
    ("Adapter", "The small matrices that are trained; the base model stays as it is."),
    ("Engine", "What samples completions: vLLM, attached inside the worker's process."),
)


def build(app: gr.Blocks, services: Services) -> None:
    with page_body():
        still(
            title("About Grouper", "Reinforcement-learning runs of language models: planned, launched, watched, read.")
        )
        with gr.Row(elem_classes="split"):
            with gr.Column(elem_classes="card", scale=7, min_width=320):
                still("<h2>Versions</h2>")
                versions = live(skeleton(8), elem_id="versions")
            with gr.Column(elem_classes="card", scale=5, min_width=320):
                still("<h2>This installation</h2>")
                place = live(skeleton(3), elem_id="place")
                still("<h2>Words</h2>")
                still(definitions([(word, esc(meaning)) for word, meaning in WORDS], kind="words"))

    @or_else(lambda error: [error_panel(error, "The versions could not be read"), ""])
    def render() -> list[str]:
        return [versions_table({"grouper": core.__version__, **doctor.versions(services.settings)}), _place(services)]

    app.load(render, None, [versions, place], **QUIET)


def _place(services: Services) -> str:
    settings = services.settings
    rows = [
        ("State folder", f'<code class="path">{esc(settings.home)}</code>'),
        ("Database", f"{gib(size_bytes(services.database))}"),
        ("Runs can be changed here", "no, read-only" if services.read_only else "yes"),
        ("Licence", "Apache 2.0"),
    ]
    return definitions(rows, kind="words")
