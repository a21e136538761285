"""The completion browser in a real browser: every way through it, and completions that try to be more than text."""

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from corpus import HOSTILE
from dashboard_support import dashboard_of, database_of
from playwright.sync_api import expect
from samples import STEPS, add_run, add_tokenizer, answers, end_run, spoken

from core.config import make_config
from core.records.status import RunStatus
from core.store import Database
from core.store.rollouts.evaluation import record_answers
from core.store.rollouts.record import clean, record_step
from core.store.runs import lifecycle
from core.store.search.filter import CompletionFilter
from core.store.search.query import list_completions

pytestmark = pytest.mark.browser
PHONE = {"width": 390, "height": 844}
# The text of an element as it was stored: signs for what cannot be seen are turned back.
STORED = """element => {
  const walk = node => node.nodeType === Node.TEXT_NODE ? node.data
    : node.dataset && node.dataset.code ? String.fromCodePoint(parseInt(node.dataset.code, 16))
    : [...node.childNodes].map(walk).join("");
  return walk(element);
}"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder with the built-in model's tokenizer: one token a byte."""
    folder = tmp_path_factory.mktemp("grouper")
    add_tokenizer(folder)
    return folder


database = pytest.fixture(scope="module")(database_of)
dashboard = pytest.fixture(scope="module")(dashboard_of)


@pytest.fixture(scope="module")
def runs(database: Database) -> dict[str, str]:
    """Ids of a run that learned, and of one whose completions are hostile."""
    learned = add_run(database, "learned", STEPS)
    end_run(database, learned, RunStatus.COMPLETED)
    config = make_config({"model": "smollm2-135m", "recipe": "addition"})
    with database.writing() as connection:
        hostile = lifecycle.enqueue(connection, config, "<i>hostile</i>").id
        record_answers(connection, learned.id, [*answers("<answer>3</answer>", 2), *answers("Eight.", 40)])
        record_answers(connection, hostile, answers(HOSTILE["script"], 1, HOSTILE["script"]))
        for number, text in enumerate(HOSTILE.values(), start=1):
            record_step(connection, hostile, spoken(number, text))
        lifecycle.move(connection, hostile, RunStatus.CANCELLED)
    return {"learned": learned.id, "hostile": hostile}


def ids_of(database: Database, run_id: str, **wanted: Any) -> list[int]:
    with database.reading() as connection:
        page, _ = list_completions(connection, run_id, CompletionFilter(limit=1000, **wanted))
    return [one.id for one in page]


def test_groups_are_rows_that_open(page: Any, runs: dict[str, str]) -> None:
    page.goto(f"/completions?run={runs['learned']}&step=3")
    rows = page.locator(".group-row")
    expect(rows).to_have_count(4)
    expect(rows.first.get_by_role("img")).to_have_attribute("aria-label", re.compile(r"Rewards (\d\.\d\d(, )?){8}"))
    expect(page.locator(".ends").first).to_contain_text("best")
    rows.nth(1).click()
    expect(page.get_by_role("article", name="Group 2")).to_be_visible()
    expect(page).to_have_url(re.compile(r"step=3.*group=2"))
    shown = [float(text) for text in page.locator(".opened .reward-pill").all_inner_texts()]
    assert len(shown) == 8
    assert shown == sorted(shown, reverse=True)
    expect(page.locator(".opened .answer-notes").first).to_contain_text("correctness")
    page.reload()
    expect(page.get_by_role("article", name="Group 2")).to_be_visible()
    page.get_by_role("button", name="Latest").click()
    expect(page.locator(".mark-flat").first).to_be_visible()


def test_find_keeps_its_question_in_the_address(page: Any, runs: dict[str, str], database: Database) -> None:
    page.goto(f"/find?run={runs['learned']}")
    expect(page.locator("#found [role=status]")).to_contain_text(re.compile(r"1\D?280 completions"))
    page.get_by_role("searchbox", name="Search").fill('"And so on"')
    page.get_by_text("Filters").click()
    page.get_by_label("Steps, to").fill("10")
    page.get_by_label("Order").select_option("length")
    page.get_by_role("button", name="Find").click()
    expected = len(ids_of(database, runs["learned"], search='"And so on"', last_step=10))
    expect(page.locator("#found [role=status]")).to_have_text(f"{expected} completions")
    expect(page).to_have_url(re.compile(r"search=%22And\+so\+on%22.*sort=length.*last_step=10"))
    assert "min_reward" not in page.url
    expect(page.locator(".answer")).to_have_count(30)
    first = page.locator(".answer a", has_text="Open").first.get_attribute("href")
    page.get_by_role("link", name="Next page").click()
    expect(page.get_by_role("link", name="First page")).to_be_visible()
    assert page.locator(".answer a", has_text="Open").first.get_attribute("href") != first
    page.goto(f"/find?run={runs['learned']}")
    page.locator(".histogram a").first.click()
    expect(page).to_have_url(re.compile("max_reward="))


def test_what_cannot_be_asked_is_said_on_the_page(page: Any, runs: dict[str, str]) -> None:
    page.goto(f"/find?run={runs['learned']}&min_reward=lots&search=hello")
    expect(page.get_by_role("alert")).to_contain_text("min_reward is 'lots'")
    expect(page.get_by_role("searchbox", name="Search")).to_have_value("hello")


def test_evidence_is_a_filter_with_reasons(page: Any, runs: dict[str, str]) -> None:
    page.goto(f"/find?run={runs['learned']}")
    page.get_by_role("link", name=re.compile("High reward, far shorter")).click()
    expect(page.locator(".tag.why").first).to_contain_text("the step's median is")
    expect(page.get_by_label("Worth a look").locator("[aria-current]")).to_have_count(1)


def test_a_completion_is_flagged_tagged_and_noted(page: Any, runs: dict[str, str], database: Database) -> None:
    number = ids_of(database, runs["learned"], step=5)[0]
    page.goto(f"/completion?id={number}")
    expect(page.locator("#about")).to_contain_text("Ended")
    page.get_by_role("textbox", name="Tags").fill("Look again, odd")
    page.get_by_role("textbox", name="Note").fill("The check may be wrong <b>here</b>")
    page.get_by_role("button", name="Save tags and note").click()
    expect(page.locator("#about .tag")).to_have_text(["look again", "odd"])
    page.get_by_role("button", name="Flag", exact=True).click()
    expect(page.get_by_role("button", name="Unflag")).to_be_visible()
    page.goto("/find?flagged=1")
    card = page.locator(".answer")
    expect(card).to_have_count(1)
    expect(card).to_contain_text("The check may be wrong <b>here</b>")
    card.get_by_role("link", name="odd").click()
    expect(page.locator(".answer")).to_have_count(1)
    expect(page).to_have_url(re.compile("tag=odd"))


def test_a_prompt_is_followed_over_steps_and_runs(page: Any, runs: dict[str, str], database: Database) -> None:
    number = ids_of(database, runs["learned"], sort="oldest")[0]
    page.goto(f"/completion?id={number}")
    page.get_by_role("link", name="This prompt over time").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("A prompt over time")
    expect(page.locator("#chart svg")).to_be_visible()
    assert page.locator("#figures tbody tr").count() > 1
    page.get_by_label("From").select_option(index=7)  # the worst of the first time it was asked
    page.get_by_role("button", name="Compare").click()
    expect(page).to_have_url(re.compile(r"a=\d+.*b=\d+"))
    expect(page.locator(".difference del").first).to_be_visible()
    expect(page.locator(".difference ins").first).to_be_visible()


def test_fixed_prompts_show_what_was_learned(page: Any, runs: dict[str, str]) -> None:
    page.goto(f"/completions?run={runs['learned']}")
    page.get_by_role("link", name="Evaluation").click()
    expect(page.locator("#questions tbody tr")).to_have_count(2)
    expect(page.locator("#chart svg")).to_be_visible()
    page.locator("#questions a").nth(1).click()
    expect(page.locator("#compared h2").first).to_have_text("Prompt 2")
    expect(page.locator("#compared .origin")).to_have_text(["Before the first step", "After step 40"])
    expect(page.locator(".difference del").first).to_be_visible()
    page.locator("select[name=b]").select_option("2")
    page.get_by_role("button", name="Compare").click()
    expect(page).to_have_url(re.compile(r"prompt=2&a=0&b=2"))
    expect(page.locator("#compared .answer").nth(1)).to_contain_text("<answer>3</answer>")


def test_tokens_are_coloured_by_what_is_known_of_them(page: Any, runs: dict[str, str], database: Database) -> None:
    number = ids_of(database, runs["hostile"], sort="oldest")[0]
    page.goto(f"/completion?id={number}")
    expect(page.locator(".token")).to_have_count(len(HOSTILE["script"]))
    assert "".join(page.locator(".token").all_inner_texts()) == HOSTILE["script"]
    page.get_by_role("link", name="Difference").click()
    expect(page.locator(".token.minus").first).to_have_attribute("title", re.compile("Difference: −0.10"))
    expect(page).to_have_url(re.compile("measure=difference"))
    expect(page.get_by_label("Measure").get_by_role("link")).to_have_count(4)  # no entropy is stored


def test_other_weights_show_what_would_have_been(page: Any, runs: dict[str, str]) -> None:
    page.goto(f"/replay?run={runs['learned']}")
    page.get_by_label("Weight of correctness").fill("0.5")
    page.get_by_label("Function of format").select_option("tags")
    page.get_by_role("button", name="Replay").click()
    expect(page.locator("#figures")).to_contain_text("Mean reward")
    expect(page).to_have_url(re.compile("weight%3Acorrectness=0.5"))
    expect(page.locator("#chart svg")).to_be_visible()
    expect(page.locator("#changes tbody tr")).to_have_count(20)
    page.goto(f"/replay?run={runs['learned']}&weight:correctness=much")
    expect(page.get_by_role("alert")).to_contain_text("is not a number")


def test_the_found_can_be_taken_along(page: Any, runs: dict[str, str]) -> None:
    page.goto(f"/find?run={runs['learned']}&first_step=2&last_step=3")
    with page.expect_download() as waiting:
        page.get_by_role("link", name="JSONL").click()
    rows = [json.loads(line) for line in Path(waiting.value.path()).read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 64
    assert {row["step"] for row in rows} == {2, 3}


@pytest.mark.parametrize("name", list(HOSTILE))
def test_hostile_text_is_text(page: Any, runs: dict[str, str], database: Database, name: str) -> None:
    """Nothing runs, nothing is fetched (the page fixture sees to that), and every character is accounted for."""
    stored = clean(HOSTILE[name])
    number = ids_of(database, runs["hostile"], sort="oldest")[2 * list(HOSTILE).index(name)]
    page.goto(f"/completion?id={number}")
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Completion {number}")
    seen = ""
    while len(seen) < len(stored):
        said = page.locator(".answer-whole pre")
        expect(said).to_have_count(1)
        window = said.evaluate(STORED)
        assert window, "an empty window"
        seen += window
        if len(seen) >= 40_000:  # the rest goes on like this
            break
        if len(seen) < len(stored):
            page.locator("#text").get_by_role("link", name="Next").click()
            page.wait_for_url(re.compile(f"from={len(seen)}$"))
            expect(page.locator("#text .count")).to_contain_text(
                re.compile(f"^Characters {len(seen) + 1:,}".replace(",", "."))
            )
    assert seen == stored[: len(seen)]
    assert page.evaluate("window.hacked") is None


def test_lists_of_hostile_text_are_text(page: Any, runs: dict[str, str]) -> None:
    for address in (
        f"find?run={runs['hostile']}",
        f"completions?run={runs['hostile']}&step=2&group=1",
        f"replay?run={runs['hostile']}",
        f"evaluation?run={runs['hostile']}",
    ):
        page.goto(f"/{address}")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        expect(page.locator(".answer, #figures").first).to_be_visible()
        assert page.evaluate("window.hacked") is None
        assert page.locator("iframe, object, script[src*=evil], #found img, #groups img").count() == 0


def test_a_hundred_thousand_characters_do_not_hurt(page: Any, runs: dict[str, str], database: Database) -> None:
    number = ids_of(database, runs["hostile"], sort="oldest")[2 * list(HOSTILE).index("long")]
    page.goto(f"/completion?id={number}")
    expect(page.locator("#text .count")).to_contain_text("100")
    began = time.monotonic()
    page.get_by_role("link", name="Advantage").click()
    expect(page).to_have_url(re.compile("measure=advantage"))
    expect(page.locator(".token").first).to_be_visible()
    assert time.monotonic() - began < 5
    assert page.evaluate("document.querySelectorAll('*').length") < 3000
    page.goto(f"/completions?run={runs['hostile']}&step={list(HOSTILE).index('long') + 1}&group=1")
    expect(page.get_by_role("article", name="Group 1")).to_be_visible()
    assert page.evaluate("document.body.textContent.length") < 100_000


@pytest.mark.parametrize("page_name", ["completions", "find", "evaluation", "replay", "completion", "prompt"])
def test_nothing_is_wider_than_a_phone(page: Any, runs: dict[str, str], database: Database, page_name: str) -> None:
    page.set_viewport_size(PHONE)
    number = ids_of(database, runs["hostile"], sort="oldest")[0]
    about = f"id={number}" if page_name in ("completion", "prompt") else f"run={runs['hostile']}&step=1&group=1"
    page.goto(f"/{page_name}?{about}")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.locator(".skeleton")).to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
