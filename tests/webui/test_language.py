"""Every page in German: what a reader meets is said in German, and in English as it was written."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dashboard_support import dashboard_of, database_of
from playwright.sync_api import expect
from samples import STEPS, add_run, answers, end_run

from core.config import RunConfig
from core.insights.known_failures import load_known_failures
from core.insights.reward_hacking import KINDS
from core.records.run import Failure
from core.records.status import RunStatus
from core.store import Database
from core.store.rollouts.evaluation import record_answers
from core.store.runs import lifecycle, notes
from core.store.search.filter import CompletionFilter
from core.store.search.query import list_completions
from core.tasks.registry import RECIPES
from webui import forms
from webui.components.charts import FIGURES
from webui.components.checks import STATES
from webui.components.find_form import ORDER_NAMES
from webui.components.token_strip import MEASURES
from webui.language import CATALOGUES

WEBUI = Path(forms.__file__).parent
PLACES = re.compile(r"\{#?\d\}|\[\d\]")
SETTLED = """() => document.querySelector("h1, .empty") && document.querySelector(".side")
  && ![...document.querySelectorAll(".skeleton")].some(node => node.offsetParent)"""
# What Gradio's own controls say, besides the values in them.
SAID = """() => [...document.querySelectorAll("button, label > span, [data-testid=block-info], .info")]
  .filter(node => node.offsetParent && !node.closest(".live, [role=radiogroup], .wrap"))
  .map(node => node.innerText.trim()).filter(Boolean)"""
PAGES = (
    "",
    "runs",
    "runs?search=nothing",
    "run?id={learned}",
    "run?id={failed}",
    "run?id={working}",
    "run?id={waiting}",
    "run?id=nobody",
    "compare?runs={learned},{failed}",
    "compare",
    "completions?run={learned}&step=3&group=2",
    "find?run={learned}",
    "find?run={learned}&search=nothing",
    "completion?id={first}",
    "prompt?id={first}",
    "replay?run={learned}",
    "evaluation?run={learned}",
    "tasks",
    "task?name=addition",
    "new-task",
    "doctor",
    "about",
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("language")


database = pytest.fixture(scope="module")(database_of)
dashboard = pytest.fixture(scope="module")(dashboard_of)


@pytest.fixture(scope="module")
def runs(database: Database) -> dict[str, Any]:
    """A run of every kind, and the number of a completion."""
    learned = add_run(database, "learned", STEPS)
    end_run(database, learned, RunStatus.COMPLETED)
    failed = add_run(database, "broken", 3, rank=16)
    end_run(database, failed, RunStatus.FAILED, Failure("out-of-memory", "It ran out.", "Lower it.", "Traceback"))
    working = add_run(database, "Runs", 20)  # a run may be called what a page is called
    with database.writing() as connection:
        waiting = lifecycle.enqueue(connection, working.config, "waiting")
        notes.tag(connection, learned.id, add=["Reward"])
        record_answers(connection, learned.id, [*answers("Three.", 2), *answers("Eight.", 40)])
    with database.reading() as connection:
        found, _ = list_completions(connection, learned.id, CompletionFilter(sort="oldest", limit=1))
    ids = {"learned": learned, "failed": failed, "working": working, "waiting": waiting}
    return {**{name: run.id for name, run in ids.items()}, "first": found[0].id}


@pytest.fixture(scope="module")
def german(chromium: Any, dashboard: str) -> Iterator[Any]:
    context = chromium.new_context(locale="de-DE", base_url=dashboard, viewport={"width": 1440, "height": 900})
    tab = context.new_page()
    yield tab
    context.close()


@pytest.mark.parametrize("language", sorted(CATALOGUES))
def test_a_catalogue_has_every_text_that_is_made_from_a_table(language: str) -> None:
    fields = [forms.form_field(name) for name in RunConfig.model_fields]
    wanted = {text for field in fields for text in (field.label, field.hint)} | set(forms.sections())
    wanted |= {text for figure in FIGURES for text in (figure.title, figure.about) if text}
    wanted |= {status.value.capitalize() for status in RunStatus} | {word for word, _, _ in STATES.values()}
    wanted |= set(ORDER_NAMES.values()) | set(KINDS.values()) | {trouble.title for trouble in load_known_failures()}
    wanted |= {name for name, *_ in MEASURES.values()} | {recipe.description for recipe in RECIPES}
    wanted |= {reward.about for recipe in RECIPES for reward in recipe.rewards}
    assert wanted - CATALOGUES[language].keys() == set()


@pytest.mark.parametrize("language", sorted(CATALOGUES))
def test_a_catalogue_has_every_text_of_a_control(language: str) -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in WEBUI.rglob("*.py"))
    said = set(re.findall(r'words\(\s*"([^"]+)"', sources))
    assert len(said) > 25
    assert said - CATALOGUES[language].keys() == set()


@pytest.mark.parametrize("language", sorted(CATALOGUES))
def test_a_translation_has_no_place_that_its_key_lacks(language: str) -> None:
    wrong = {
        english: other
        for english, other in CATALOGUES[language].items()
        if not other.strip() or not set(PLACES.findall(other)) <= set(PLACES.findall(english))
    }
    assert wrong == {}


@pytest.mark.browser
@pytest.mark.parametrize("address", PAGES)
def test_nothing_on_a_page_is_left_in_english(german: Any, runs: dict[str, Any], address: str) -> None:
    german.goto(f"/{address.format(**runs)}")
    german.wait_for_function(SETTLED)
    if not address:
        expect(german.locator("#plan").get_by_role("status")).to_contain_text("Passt")
    assert german.evaluate("[document.documentElement.lang, grouperWords.language]") == ["de", "de"]
    german.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert german.evaluate("[...grouperWords.missed]") == []
    english = {english for english, other in CATALOGUES["de"].items() if other != english}
    assert [text for text in german.evaluate(SAID) if text in english or "__i18n__" in text] == []


@pytest.mark.browser
def test_names_stay_as_people_gave_them(german: Any, runs: dict[str, Any]) -> None:
    german.goto("/runs")
    expect(german.get_by_role("heading", level=1)).to_have_text("Läufe")
    row = german.locator("table.runs tbody tr", has=german.get_by_role("link", name="Runs", exact=True))
    expect(row).to_contain_text("Läuft")
    expect(german.locator(".tag")).to_have_text("Reward")
    expect(german.locator("time").first).to_have_text(re.compile(r"vor \d+ (s|min)"))
    german.get_by_label("learned auswählen").check()
    expect(german.get_by_text("1 Lauf ausgewählt")).to_be_visible()
    german.goto(f"/run?id={runs['working']}")
    expect(german.get_by_role("heading", level=1)).to_contain_text("Runs")


@pytest.mark.browser
@pytest.mark.parametrize("locale", ["en-GB", "fr-FR"])
def test_every_other_language_has_english(chromium: Any, dashboard: str, locale: str) -> None:
    context = chromium.new_context(locale=locale, base_url=dashboard)
    tab = context.new_page()
    tab.goto("/")
    expect(tab.get_by_role("heading", level=1)).to_have_text("Launch a run")
    expect(tab.get_by_label("Base model")).to_be_visible()
    expect(tab.locator("#field-steps")).to_contain_text("Optimizer steps. Each samples one batch of completions.")
    expect(tab.locator("#plan").get_by_role("status")).to_contain_text("Fits")
    expect(tab.get_by_placeholder("Made from the settings when left empty")).to_be_visible()
    assert "__i18n__" not in tab.locator("body").inner_text()
    assert tab.evaluate("grouperWords.missed.size") == 0
    context.close()


@pytest.mark.browser
def test_a_script_that_comes_late_says_everything_all_the_same(chromium: Any, dashboard: str) -> None:
    context = chromium.new_context(locale="de-DE", base_url=dashboard)
    tab = context.new_page()
    held: list[Any] = []
    errors: list[str] = []
    tab.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    tab.route("**/grouper-*.js", lambda route: held.append(route))
    tab.goto("/runs", wait_until="commit")
    expect(tab.locator("nav.side")).to_contain_text("Runs", timeout=20_000)
    for route in held:
        route.continue_()
    expect(tab.locator("nav.side")).to_contain_text("Läufe", timeout=20_000)
    assert errors == []
    context.close()
