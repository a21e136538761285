"""The part of the launch page that keeps settings by name and takes them in as JSON."""

from typing import Any

import gradio as gr
from gradio.components import Component

from core.config import make_config
from core.documents import read_config_json
from core.store.runs import notes
from webui import forms
from webui.components.live import live, still
from webui.language import words
from webui.pages.frame import QUIET, error_panel, or_else
from webui.pages.launch_form import config_of, filled_in, refused
from webui.present import esc
from webui.services import Services


def build_presets(services: Services) -> dict[str, Any]:
    """A folded card: choose, keep or forget a preset; paste JSON."""
    kept: dict[str, Any] = {}
    with gr.Accordion(words("Presets and import"), open=False, elem_id="presets", elem_classes="card"):
        with gr.Row(elem_classes="pair"):
            kept["chosen"] = gr.Dropdown(
                [],
                label=words("Preset"),
                info=words("Settings that were kept by name."),
                elem_id="field-preset",
                value=None,
            )
            kept["name"] = gr.Textbox(
                label=words("Keep as"),
                info=words("A name for the settings as they are now."),
                max_lines=1,
                elem_id="field-preset-name",
                visible=not services.read_only,
            )
        with gr.Row(elem_classes="buttons-line"):
            kept["save"] = gr.Button(words("Keep preset"), size="sm", scale=0, visible=not services.read_only)
            kept["forget"] = gr.Button(words("Forget preset"), size="sm", scale=0, visible=not services.read_only)
        kept["said"] = live(elem_id="preset-said")
        still("<h3>Import</h3>")
        kept["json"] = gr.Textbox(
            label=words("Settings as JSON"),
            info=words("What Copy gives under the plan, or what `grouper show RUN --json` prints."),
            lines=3,
            max_lines=8,
            elem_id="field-import",
        )
        kept["fill"] = gr.Button(words("Fill in"), size="sm", scale=0)
    return kept


def register_presets(
    app: gr.Blocks, services: Services, form: dict[str, Component], kept: dict[str, Any], shown: list[Component]
) -> None:
    fields = list(form.values())
    everything = [*shown, *fields]
    database = services.database

    def names() -> Any:
        with database.reading() as connection:
            return gr.Dropdown(choices=[*notes.preset_names(connection)])

    @or_else(lambda error: refused(error, "The preset cannot be used", len(fields)))
    def use(name: str | None) -> list[Any]:
        if not name:
            return [gr.skip() for _ in everything]
        with database.reading() as connection:
            config = notes.get_preset(connection, name).config
        return filled_in(services, config)

    @or_else(lambda error: refused(error, "The JSON was not taken", len(fields)))
    def take_in(text: str) -> list[Any]:
        return filled_in(services, make_config(read_config_json(text)))

    @or_else(lambda error: [gr.skip(), gr.skip(), error_panel(error, "The preset was not kept")])
    def save_preset(name: str, *given: Any) -> list[Any]:
        config = config_of(forms.named(given), services.settings.tasks)
        with database.writing() as connection:
            preset = notes.save_preset(connection, name, config)
            known = notes.preset_names(connection)
        done = f'<p class="soft" role="status">Kept as {esc(preset.name)}.</p>'
        return [gr.Dropdown(choices=[*known], value=preset.name), "", done]

    @or_else(lambda error: [gr.skip(), error_panel(error, "The preset was not forgotten")])
    def forget_preset(name: str | None) -> list[Any]:
        with database.writing() as connection:
            notes.delete_preset(connection, name or "")
            known = notes.preset_names(connection)
        return [gr.Dropdown(choices=[*known], value=None), ""]

    app.load(names, None, kept["chosen"], **QUIET)
    kept["chosen"].input(use, kept["chosen"], everything, **QUIET)
    kept["fill"].click(take_in, kept["json"], everything, **QUIET)
    if not services.read_only:
        kept["save"].click(save_preset, [kept["name"], *fields], [kept["chosen"], kept["name"], kept["said"]], **QUIET)
        kept["forget"].click(forget_preset, kept["chosen"], [kept["chosen"], kept["said"]], **QUIET)
