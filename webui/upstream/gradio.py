"""What is used of Gradio beyond what it documents: its built files, how its pages are described, and their markup."""

import re
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import gradio as gr

from webui.upstream import Shim

SOURCE = "https://github.com/gradio-app/gradio/blob/main/"
SEEN = ("6.31.0",)

# ---- Built files -----------------------------------------------------------------------------------------------------

FILES = Shim(
    "Gradio",
    "templates/frontend/assets, served at /assets",
    "Its scripts and styles are compressed once and kept by browsers. Without it Gradio serves them as it always does.",
    SEEN,
    SOURCE + "gradio/routes.py (build_resource)",
    "Gradio sends these files compressed and lets browsers keep them, as their hashed names allow.",
)
ENTRY = Shim(
    "Gradio",
    '<script type="module"> in index.html, and </gradio-app>',
    "Gradio starts as soon as its element stands. Without it it starts when the page is whole, as it always does.",
    SEEN,
    SOURCE + "js/spa/index.html",
    "Gradio's entry is an async script behind its element.",
)
BUNDLE = Shim(
    "Gradio",
    "__vite__mapDeps and the table of components in the built scripts",
    "A page names beforehand all files that it will ask for. Without it the scripts name them, one after the other.",
    SEEN,
    SOURCE + "js/build/src/index.ts",
    "Gradio's page names the files of its components itself, or its build writes a manifest.",
)
FRONTEND = Path(gr.__file__).parent / "templates" / "frontend"
ENTRY_TAG = re.compile(rb'<script type="module" [^>]*></script>')
ELEMENT_END = b"</gradio-app>"
ENTRY_NAME = re.compile(rb'src="\./assets/(index-[\w-]+\.js)"')
# import(`./NAME`) with the places of what it imports in the list at the head of the script.
IMPORTED = r"import\(`\./({name})`\)[^_]{{0,60}}__vite__mapDeps\(\[([\d,]*)\]\)"
LISTED = re.compile(r"m\.f=\[(.*?)\]")
COMPONENT = r"[{{,]{kind}:\{{[^{{}}]*?component:\(\)=>\w+\(\(\)=>"


@lru_cache(maxsize=512)
def asset_bytes(name: str, frontend: Path = FRONTEND) -> bytes:
    return (frontend / "assets" / name).read_bytes()


def at_once(page: bytes) -> bytes:
    """Gradio's page with its entry right behind its element, to run without waiting for what comes after.

    It may not run before: the element reads its attributes when it is made, and one that finds none waits to be
    scrolled to. A page in which either is not found stays as it is.
    """
    entry = ENTRY_TAG.search(page)
    if entry is None or ELEMENT_END not in page[entry.end() :]:
        return page
    script = entry[0].replace(b'type="module"', b'type="module" async')
    return page[: entry.start()] + page[entry.end() :].replace(ELEMENT_END, ELEMENT_END + script, 1)


def files_needed(kinds: Collection[str], frontend: Path = FRONTEND) -> list[str]:
    """The names of all files that a page with these kinds of components asks for; none where that cannot be read."""
    try:
        entry = ENTRY_NAME.search((frontend / "index.html").read_bytes())
        return [*dict.fromkeys(_needed_from(entry[1].decode(), kinds, frontend))] if entry else []
    except (OSError, ValueError):
        return []


def _needed_from(entry: str, kinds: Collection[str], frontend: Path) -> list[str]:
    start, core = (_imported(entry, name, frontend) for name in (r"Index-[\w-]+\.js", r"core-[\w-]+\.js"))
    names = [entry, *start, *core]
    if start and core:
        names += _imported(start[0], r"Blocks-[\w-]+\.js", frontend)
        for kind in sorted(kinds):
            names += _imported(core[0], r"[\w-]+\.js", frontend, before=COMPONENT.format(kind=kind))
    return names


def _imported(script: str, name: str, frontend: Path, before: str = "") -> list[str]:
    """The file that `script` imports under this name, then what that file imports."""
    text = asset_bytes(script, frontend).decode()
    found, listed = re.search(before + IMPORTED.format(name=name), text), LISTED.search(text)
    if found is None or listed is None:
        return []
    names = re.findall(r'"\./([^"]+)"', listed[1])
    return [found[1], *(names[int(place)] for place in found[2].split(",") if place)]


# ---- How pages are described -----------------------------------------------------------------------------------------

CATALOGUES = Shim(
    "Gradio",
    "window.gradio_config.i18n_translations",
    "The catalogues that gr.I18n brings to the browser also translate our own HTML. Without them pages are in English.",
    SEEN,
    SOURCE + "gradio/data_classes.py (BlocksConfigDict)",
    "Gradio offers its catalogues to the scripts of a page.",
)
CONFIG = Shim(
    "Gradio",
    "Blocks.get_config_file() and /config: components, page, dependencies",
    "Which kinds of components are on which page, and in the benchmark which handler belongs to which event. Without "
    "it no component's files are named beforehand, and the benchmark cannot load a page.",
    SEEN,
    SOURCE + "gradio/data_classes.py (BlocksConfigDict)",
    "Gradio says by a documented name what a page consists of.",
)
BLOCKING = Shim(
    "Gradio",
    "Blocks.block_thread",
    "The address is written once the server answers; then its thread waits. Without it the process waits by itself.",
    SEEN,
    SOURCE + "gradio/blocks.py",
    "launch() tells its address without being asked to return.",
)
PREDICT = Shim(
    "Gradio",
    "/gradio_api/run/predict with fn_index",
    "The benchmark calls handlers that have no name in the API, as the page does. Nothing else needs it.",
    SEEN,
    SOURCE + "gradio/data_classes.py (PredictBody)",
    "A documented client can call handlers that are not offered as an API.",
)
PREDICT_PATH = "gradio_api/run/predict"


def kinds_of(app: gr.Blocks) -> dict[str, frozenset[str]]:
    """Each page's path and the kinds of components on it."""
    config: Mapping[str, Any] = getattr(app, "get_config_file", dict)()
    named = {part["id"]: part["type"] for part in config.get("components", ())}
    return {
        path: frozenset(named[number] for number in page.get("components", ()) if number in named)
        for path, page in config.get("page", {}).items()
    }


def serve_until_interrupted(app: gr.Blocks) -> None:
    """What `launch` does by itself when it is not told to return."""
    getattr(app, "block_thread", threading.Event().wait)()


def handler_of(config: Mapping[str, Any], page: str, event: str) -> Mapping[str, Any]:
    """The first handler on this page that listens to this event and changes something: its id, inputs and outputs."""
    mine = set(config["page"][page]["dependencies"])
    return next(
        handler
        for handler in config["dependencies"]
        if handler["id"] in mine and any(target[1] == event for target in handler["targets"]) and handler["outputs"]
    )


def predict_body(handler: int, session: str, data: Sequence[Any]) -> dict[str, Any]:
    return {"fn_index": handler, "session_hash": session, "data": data, "event_data": None, "trigger_id": None}


# ---- Markup ----------------------------------------------------------------------------------------------------------

MARKUP = Shim(
    "Gradio",
    "classes and roles of its elements: SELECTORS",
    "Our styles set Gradio's controls like everything else, and our scripts find a component's frame. Without one, "
    "what it names looks as Gradio made it.",
    SEEN,
    SOURCE + "js (the components' .svelte files)",
    "Gradio's controls can be set by variables of its theme alone.",
)
ELEMENT = "gradio-app"
# Whatever our styles and scripts name of Gradio's own elements -> the page on which it is found, as it opens.
SELECTORS: Mapping[str, str] = {
    ELEMENT: "runs",
    ".gradio-container": "runs",
    ".gradio-container .main.app": "runs",
    ".gradio-container main.contain": "runs",
    "body.dark": "runs?__theme=dark",
    ".nav-holder": "runs",
    ".column": "runs",
    ".block": "runs",
    "button.primary": "doctor",
    "button.sm": "completion?id=1",
    ".form > .block": "",
    "div.block": "",
    "fieldset.block": "",
    "fieldset label": "",
    "label > span": "",
    ".container > input": "",
    ".container > .input-container": "",
    '[data-testid="block-info"] ~ .info-text': "",
    "input.border-none[role=combobox]": "",
    ".container > .wrap .wrap-inner input.border-none": "",
    '.wrap > label.selected input[type="radio"]': "",
    ".label-wrap:not(.open) .icon": "",
}
# Found only while something happens: before Gradio has drawn its page, in a fold that was opened, in an open list.
PASSING = (".wrap.full.translucent", ".label-wrap.open", "ul[role=listbox]")
# What our scripts take from Gradio's page, said to them before they run.
SCRIPT = """
window.grouperGradio = {
  catalogues: () => window.gradio_config?.i18n_translations ?? {},
  container: ".gradio-container",
  block: ".block",
  chooser: "[role=combobox]",
  choices: "ul[role=listbox]",
};
"""

# ---- What is not as it was -------------------------------------------------------------------------------------------


def _files(frontend: Path) -> str:
    there = (frontend / "assets").is_dir()
    return "" if there else " keeps its files in another place, so browsers ask for them anew at every visit."


def _entry(frontend: Path) -> str:
    page = (frontend / "index.html").read_bytes()
    return "" if at_once(page) != page else "'s page starts in another way, so pages start only when they are whole."


def _bundle(frontend: Path) -> str:
    some, more = (set(files_needed(kinds, frontend)) for kinds in ((), ("html",)))
    if len(some) < 2:
        return "'s bundle lists its files in another form, so pages do not preload them."
    return "" if more > some else "'s bundle names its components in another form, so pages do not preload them."


def _catalogues(frontend: Path) -> str:
    page = (frontend / "index.html").read_bytes()
    brought = b"window.gradio_config" in page and "i18n_translations" in _configured()
    return "" if brought else " brings its catalogues to the page in another way, so pages are in English."


def _config(_frontend: Path) -> str:
    told = hasattr(gr.Blocks, "get_config_file") and {"components", "page"} <= _configured()
    return "" if told else " describes its pages in another way, so they do not preload their components."


def _configured() -> set[str]:
    """What a page's configuration consists of."""
    return {*gr.data_classes.BlocksConfigDict.__annotations__}


def _blocking(_frontend: Path) -> str:
    there = hasattr(gr.Blocks, "block_thread")
    return "" if there else " waits in another way, so the dashboard may not end when Gradio's server does."


CHECKED: Mapping[Shim, Callable[[Path], str]] = {
    FILES: _files,
    ENTRY: _entry,
    BUNDLE: _bundle,
    CATALOGUES: _catalogues,
    CONFIG: _config,
    BLOCKING: _blocking,
}
SHIMS = (*CHECKED, PREDICT, MARKUP)


def expected(frontend: Path = FRONTEND) -> list[str]:
    """A sentence for each thing that is not as it was in the versions known to work, and what that costs; none where
    all is well. Reads a few small files. What only a browser can see, `MARKUP`, is looked at by a test."""
    return [f"Gradio {gr.__version__}{missing}" for check in CHECKED.values() if (missing := _said(check, frontend))]


def _said(check: Callable[[Path], str], frontend: Path) -> str:
    try:
        return check(frontend)
    except (OSError, AttributeError) as error:
        return f"'s files cannot be read ({error}), so pages may start later than they could."
