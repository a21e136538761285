"""The completion browser over real runs, as somebody goes through it who wants to know what the demo learned."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dashboard_support import browsing, serving
from engine_support import Demo, grouper
from playwright.sync_api import expect

from core.store import Database, open_database
from core.store.rollouts.evaluation import list_questions, trained_on

pytestmark = [pytest.mark.long, pytest.mark.engine, pytest.mark.browser, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def second(demo: Demo) -> str:
    """The id of another run of the same recipe, which asks the same prompts."""
    arguments = ["launch", "--recipe", "addition", "--model", "smollm2-135m", "--gpu", "cpu", "--steps", "3"]
    result = grouper(demo.settings.home, *arguments, "--set", "evaluate_every=0", "--set", "seed=7", "--wait", "--json")
    assert result.returncode == 0, result.stderr[-3000:]
    return str(json.loads(result.stdout)["run"])


@pytest.fixture(scope="module")
def database(demo: Demo) -> Iterator[Database]:
    opened = open_database(demo.settings.database_url)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def tab(demo: Demo, second: str, chromium_path: str | None) -> Iterator[Any]:
    with serving(demo.settings.home) as address, browsing(chromium_path) as browser:
        page = browser.new_page(viewport={"width": 1440, "height": 900}, base_url=address)
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.set_default_timeout(30_000)
        yield page
        assert problems == []


def test_groups_open_and_their_completions_are_sorted(tab: Any, demo: Demo) -> None:
    tab.goto(f"/completions?run={demo.document['run']}&step=10")
    expect(tab.locator(".group-row")).to_have_count(4)
    tab.locator(".group-row").first.click()
    expect(tab.locator(".opened .answer")).to_have_count(8)
    shown = [float(text) for text in tab.locator(".opened .reward-pill").all_inner_texts()]
    assert shown == sorted(shown, reverse=True)


def test_phrases_beginnings_filters_and_orders(tab: Any, demo: Demo) -> None:
    run = demo.document["run"]
    for search in ('"answer 4"', "ans*"):
        tab.goto(f"/find?run={run}")
        tab.get_by_role("searchbox", name="Search").fill(search)
        tab.get_by_role("button", name="Find").click()
        expect(tab).to_have_url(re.compile("search="))
        expect(tab.locator("#found .answer").first).to_contain_text("answer")
    tab.goto(f"/find?run={run}&min_reward=0.9&sort=length&last_step=20")
    expect(tab.locator("#found .answer").first).to_be_visible()
    rewards = [float(text) for text in tab.locator("#found .reward-pill").all_inner_texts()]
    assert rewards
    assert min(rewards) >= 0.9
    expect(tab.locator(".histogram a").last).to_be_visible()
    tab.goto(f"/find?run={run}&sort=oldest")
    places: list[str] = []
    for _ in range(3):
        expect(tab.locator("#found .answer")).to_have_count(30)
        links = tab.locator("#found .answer").get_by_role("link", name="Open")
        places += [link.get_attribute("href") for link in links.all()]
        tab.get_by_role("link", name="Next page").click()
        expect(tab.get_by_role("link", name="First page")).to_be_visible()
        expect(tab.locator(f"#found a[href='{places[-1]}']")).to_have_count(0)
    assert len(set(places)) == 90


def test_a_prompt_is_followed_across_runs(tab: Any, demo: Demo, second: str) -> None:
    tab.goto(f"/completions?run={second}&step=1&group=1")
    tab.locator(".opened .answer").first.get_by_role("link", name="Open").click()
    tab.get_by_role("link", name="This prompt over time").click()
    expect(tab.get_by_role("heading", level=1)).to_have_text("A prompt over time")
    expect(tab.locator(".title")).to_contain_text("2 runs")
    linked = {link.get_attribute("href") for link in tab.locator("#figures tbody a[href^=run]").all()}
    assert linked == {f"run?id={demo.document['run']}", f"run?id={second}"}
    tab.get_by_role("button", name="Compare").click()
    expect(tab).to_have_url(re.compile(r"a=\d+.*b=\d+"))
    expect(tab.locator("#compared .difference")).to_be_visible()


def test_greedy_answers_and_which_prompts_were_trained_on(tab: Any, demo: Demo, database: Database) -> None:
    run = demo.document["run"]
    with database.reading() as connection:
        questions = list_questions(connection, run)
        trained = trained_on(connection, run, questions)
    tab.goto(f"/evaluation?run={run}")
    expect(tab.locator("#questions tbody tr")).to_have_count(len(questions))
    expect(tab.locator("#questions tbody .mark-flat")).to_have_count(len(trained))
    assert not trained & {0, 1}  # those that it was not trained on come first, and this seed leaves some
    expect(tab.locator("#compared .origin").first).to_have_text("Before the first step")


def test_tokens_by_each_of_their_measures(tab: Any, demo: Demo) -> None:
    tab.goto(f"/find?run={demo.document['run']}&flat=0&first_step=5&last_step=5")
    tab.locator("#found .answer").first.get_by_role("link", name="Open").click()
    measures = tab.get_by_label("Measure").get_by_role("link")
    expect(measures).to_have_text(["Sampling logprob", "Trainer logprob", "Difference", "Entropy", "Advantage"])
    for name in ("Trainer logprob", "Difference", "Entropy", "Advantage"):
        measures.filter(has_text=re.compile(f"^{name}$")).click()
        expect(measures.filter(has_text=re.compile(f"^{name}$"))).to_have_attribute("aria-current", "page")
    title = tab.locator(".token").first.get_attribute("title")
    assert re.search(r"Sampling logprob: .*\nTrainer logprob: .*\nDifference: .*\nEntropy: ", title)


def test_evidence_is_looked_at_flagged_and_taken_along(tab: Any, demo: Demo) -> None:
    run = demo.document["run"]
    tab.goto(f"/find?run={run}")
    kinds = tab.get_by_label("Worth a look").get_by_role("link")
    expect(kinds.first).to_be_visible()
    kinds.first.click()
    expect(tab.locator("#found .tag.why").first).to_be_visible()
    tab.locator("#found .answer").first.get_by_role("link", name="Open").click()
    expect(tab.locator("#about")).to_contain_text("Ended")
    tab.get_by_role("textbox", name="Tags").fill("odd")
    tab.get_by_role("button", name="Save tags and note").click()
    expect(tab.locator("#about .tag")).to_have_text(["odd"])
    tab.get_by_role("button", name="Flag", exact=True).click()
    expect(tab.get_by_role("button", name="Unflag")).to_be_visible()
    tab.goto(f"/find?run={run}&flagged=1&tag=odd")
    expect(tab.locator("#found .answer")).to_have_count(1)
    with tab.expect_download() as waiting:
        tab.get_by_role("link", name="CSV").click()
    assert "odd" in Path(waiting.value.path()).read_text(encoding="utf-8")


def test_other_weights_on_what_was_sampled(tab: Any, demo: Demo) -> None:
    tab.goto(f"/replay?run={demo.document['run']}&weight:format=0&weight:correctness=1")
    expect(tab.locator("#figures")).to_contain_text("Mean reward")
    expect(tab.locator("#changes tbody tr").first).to_be_visible()
