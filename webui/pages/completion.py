"""`/completion?id=N`: one completion, whole: its prompt and text, its tokens, and what people say about it."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import gradio as gr

from core.errors import GrouperError, NotFound
from core.models.locate import folder_on_disk, locate
from core.models.tokens import load_tokens
from core.records.rollout import Completion
from core.records.run import Run
from core.store.rollouts import feedback
from core.store.rollouts.load import get_completion, get_group
from core.store.runs import queries
from webui.components.completion_view import facts, neighbours, text_window
from webui.components.completions import fields_view
from webui.components.live import live, still
from webui.components.token_strip import token_strip
from webui.language import words
from webui.pages.completions import whole
from webui.pages.frame import QUIET, error_panel, or_else, page_body
from webui.present import empty_state, esc, folded, own, skeleton
from webui.services import Services


def build(app: gr.Blocks, services: Services) -> None:
    with page_body():
        heading = live(skeleton(2), elem_id="heading")
        with gr.Row(elem_classes="split", elem_id="one"):
            with gr.Column(elem_classes="card", scale=8, min_width=320):
                text = live(skeleton(8), elem_id="text")
            with gr.Column(elem_classes="card", scale=4, min_width=300):
                about = live(skeleton(6), elem_id="about")
                if not services.read_only:
                    tags = gr.Textbox(
                        label=words("Tags"), info=words("Separated by commas"), elem_id="tags", max_lines=1
                    )
                    note = gr.Textbox(label=words("Note"), lines=2, elem_id="note")
                    with gr.Row():
                        flag = gr.Button(words("Flag"), elem_id="flag", size="sm")
                        save = gr.Button(words("Save tags and note"), elem_id="save", size="sm")
                problem = live(elem_id="problem")
        with gr.Column(elem_classes="card", elem_id="token-card"):
            still("<h2>Tokens</h2>")
            strip = live(elem_id="strip")
    chosen = gr.State(0)
    remarking = [] if services.read_only else [tags, note, flag]

    @or_else(lambda error: [0, _unread(error), "", "", "", "", *(gr.skip() for _ in remarking)])
    def arrive(request: gr.Request) -> list[Any]:
        asked = dict(request.query_params)
        number = whole(asked.get("id")) or 0
        with services.database.reading() as connection:
            one = get_completion(connection, number)
        return [number, *render(services, one, asked), "", *(_remark(one) if remarking else [])]

    app.load(arrive, None, [chosen, heading, text, about, strip, problem, *remarking], **QUIET)
    if services.read_only:
        return

    def flag_completion(number: int) -> list[Any]:
        return changed(number, lambda connection, one: feedback.flag(connection, number, not one.remark.flagged))

    def save_remark(number: int, names: str, words: str) -> list[Any]:
        def write(connection: Any, _one: Completion) -> None:
            feedback.set_tags(connection, number, names.split(","))
            feedback.write_note(connection, number, words)

        return changed(number, write)

    @or_else(lambda error: [gr.skip(), gr.skip(), error_panel(error, "Nothing was changed")])
    def changed(number: int, write: Any) -> list[Any]:
        """What is typed and not saved yet stays as it is."""
        with services.database.writing() as connection:
            write(connection, get_completion(connection, number))
            one = get_completion(connection, number)
        return [facts(one), _flag_button(one), '<p class="soft" role="status">Saved.</p>']

    flag.click(flag_completion, chosen, [about, flag, problem], **QUIET)
    save.click(save_remark, [chosen, tags, note], [about, flag, problem], **QUIET)


def _unread(error: Exception) -> str:
    if isinstance(error, NotFound):
        return empty_state("No such completion", f"{error} Pick one from the list.", "Completions", "completions")
    return error_panel(error, "The completion could not be read")


def render(services: Services, one: Completion, asked: Mapping[str, str]) -> list[str]:
    """[title, text, facts, token strip]."""
    with services.database.reading() as connection:
        run = queries.get_run(connection, one.run)
        group = get_group(connection, one.id)
    address = f"completion?id={one.id}"
    back = urlencode({"run": run.id, "step": one.step, "group": one.group + 1})
    heading = (
        f'<div class="title"><h1>Completion {one.id}</h1><p><a href="run?id={esc(run.id)}">{own(run.name)}</a> · '
        f'<a href="completions?{esc(back)}">step {one.step}, prompt {one.group + 1}</a> · answer {one.index + 1} of '
        f"{len(group.completions)}</p></div>{neighbours(group, one)}"
    )
    body = (
        f'<h2>Prompt</h2><div class="prompt">{folded(one.prompt)}</div>{fields_view(group.fields)}'
        f'<p><a href="prompt?id={one.id}">This prompt over time</a> '
        f'<span class="soft">every answer to it, across steps and runs</span></p>'
        f"{text_window(one, whole(asked.get('from'), least=0) or 0, address)}"
    )
    strip = token_strip(
        one, token_texts(services, run, one), asked.get("measure", ""), whole(asked.get("token"), 0) or 0, address
    )
    return [heading, body, facts(one), strip]


def token_texts(services: Services, run: Run, one: Completion) -> list[str] | None:
    """The text of each token, where the run's tokenizer is on this disk."""
    try:
        source = locate(run.config.model, services.catalogue, services.settings.models)
    except GrouperError:
        return None
    folder = folder_on_disk(source, "tokenizer.json")
    table = load_tokens(folder) if folder else None
    return table.texts(one.token_ids, one.text) if table else None


def _remark(one: Completion) -> list[Any]:
    return [", ".join(one.remark.tags), one.remark.note, _flag_button(one)]


def _flag_button(one: Completion) -> gr.Button:
    return gr.Button(words("Unflag" if one.remark.flagged else "Flag"))
