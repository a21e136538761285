"""What is used of Gradio without its promise: all in one place, as expected, and looked for in a browser."""

import re
from pathlib import Path
from typing import Any

import gradio
import pytest
from playwright.sync_api import expect

from core.settings import PROJECT
from webui.serving.first_paint import SCRIPTS
from webui.theme import STYLES
from webui.upstream.gradio import PASSING, SCRIPT, SELECTORS, SHIMS, expected, files_needed

WEBUI = PROJECT / "webui"
ASSETS = WEBUI / "assets"
SHEETS = "".join((ASSETS / "styles" / f"{name}.css").read_text(encoding="utf-8") for name in STYLES if name != "uplot")
OURS = "".join((ASSETS / name).read_text(encoding="utf-8") for name in SCRIPTS if not name.startswith("uPlot"))
# Names that Gradio may change at any time. Documented ones, such as elem_classes or gr.EventData, are not among them.
PRIVATE = re.compile(
    r"\._data\b|gradio_config|i18n_translations|vite__|get_config_file|fn_index|block_thread|gradio_api|gradio-app"
)
CLASS = re.compile(r"\.([a-z][\w-]*)")
# The classes of Gradio's own elements, which bear one of Svelte's besides; those that we gave them are left out.
BORNE = """ours => [...document.querySelectorAll("[class*=svelte-]")]
  .flatMap(node => [...node.classList]).filter(name => !name.startsWith("svelte-") && !ours.includes(name))"""


def test_gradio_is_as_expected() -> None:
    assert expected() == []
    for shim in SHIMS:
        assert gradio.__version__ in shim.known_to_work, shim.name
        assert all((shim.project, shim.name, shim.why, shim.upstream, shim.until)), shim


def test_another_build_of_gradio_is_said_and_stops_nothing(tmp_path: Path) -> None:
    said = expected(tmp_path)
    assert all(sentence.startswith(f"Gradio {gradio.__version__}") for sentence in said)
    assert "keeps its files in another place" in said[0]
    assert files_needed({"html"}, tmp_path) == []
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text('<script src="./assets/index-new.js"></script>')
    (tmp_path / "assets" / "index-new.js").write_text("import('./other.js')")
    said = expected(tmp_path)
    assert files_needed({"html"}, tmp_path) == ["index-new.js"]
    assert len(said) == 3
    assert "starts in another way" in said[0]
    assert "lists its files in another form" in said[1]
    assert "brings its catalogues to the page in another way" in said[2]


def test_private_names_of_gradio_stand_in_one_place() -> None:
    places = [path for path in WEBUI.rglob("*.py") if path.parent.name != "upstream"]
    found = {path.name: PRIVATE.findall(path.read_text(encoding="utf-8")) for path in places}
    assert {name: names for name, names in found.items() if names} == {}
    assert PRIVATE.findall(OURS) == []


def test_every_selector_that_is_listed_is_used() -> None:
    used = SHEETS + OURS + SCRIPT
    listed = {name for selector in (*SELECTORS, *PASSING) for name in CLASS.findall(selector)}
    assert {name for name in listed if not re.search(rf"\.{name}\b", used) and f'"{name}"' not in used} == set()


@pytest.mark.browser
def test_every_selector_that_is_listed_is_found(page: Any, runs: dict[str, str]) -> None:
    for address in sorted(set(SELECTORS.values())):
        page.goto(f"/{address}")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        for selector in (selector for selector, where in SELECTORS.items() if where == address):
            expect(page.locator(selector).first, f"{selector} on /{address}").to_be_attached()


@pytest.mark.browser
def test_what_is_only_there_for_a_while_is_found_too(page: Any) -> None:
    loading, fold, choices = PASSING
    held: list[Any] = []
    page.route("**/assets/Blocks-*.js", lambda route: held.append(route))
    page.goto("/")
    expect(page.locator(loading).first).to_be_attached()
    expect(page.locator(loading).first).not_to_be_visible()
    for route in held:
        route.continue_()
    page.get_by_text("Advanced").click()
    expect(page.locator(fold)).to_be_visible()
    page.get_by_label("Base model").click()
    expect(page.locator(choices)).to_be_visible()


@pytest.mark.browser
def test_no_class_of_gradios_is_styled_that_is_not_listed(page: Any, runs: dict[str, str]) -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in WEBUI.rglob("*.py"))
    given = {name for names in re.findall(r'elem_classes="([^"]+)"', sources) for name in names.split()}
    borne: set[str] = set()
    for address in ("", "runs", f"run?id={runs['finished']}", f"compare?runs={runs['finished']}", "doctor", "about"):
        page.goto(f"/{address}")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        expect(page.locator(".skeleton")).to_have_count(0)
        borne |= set(page.evaluate(BORNE, sorted(given)))
    listed = {name for selector in (*SELECTORS, *PASSING) for name in CLASS.findall(selector)}
    assert borne & set(CLASS.findall(SHEETS)) - listed == set()
