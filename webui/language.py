"""The languages of the pages besides English: one file each in locales/, German in de.json.

English stands where it is said, in the code. A catalogue gives each of those texts in its language, {0} and {1}
standing for what varies in it. Gradio takes the browser's language and carries the catalogues there (gr.I18n): its own
controls get their words through `words`, everything else is put into that language by assets/words.js. What people or
models wrote, and sentences made of a run's figures, are marked with `untranslated` and stay as they are.
"""

import json
from pathlib import Path
from typing import Any

import gradio as gr

LOCALES = Path(__file__).resolve().parent / "locales"
CATALOGUES: dict[str, dict[str, str]] = {
    path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(LOCALES.glob("*.json"))
}
LANGUAGES = gr.I18n(**CATALOGUES)


def words(english: str) -> Any:
    """A label, hint, placeholder or button of Gradio's own controls, in the reader's language."""
    return LANGUAGES(english)
