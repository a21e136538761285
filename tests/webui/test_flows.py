"""What people do across pages, in a real browser: launch as a command would, resume, tag, compare, watch."""

import os
import random
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from axe_playwright_python.sync_playwright import Axe
from dashboard_support import serving
from playwright.sync_api import expect
from samples import STEPS, add_run, end_run, sampled

from core.installation import stack_report
from core.records.run import Run
from core.records.status import RunStatus
from core.settings import PROJECT, load_settings
from core.store import Database, open_database
from core.store.rollouts.record import record_step
from core.store.runs import lifecycle, queries
from core.store.search.filter import CompletionFilter
from core.store.search.query import list_completions

pytestmark = pytest.mark.browser
SHIFTS = """window.shift = 0; new PerformanceObserver(list => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value;
}).observe({type: "layout-shift"})"""


# An outline or a ring, on the element or on the frame that a control draws around its input.
SHOWS_FOCUS = """() => {
  if (document.activeElement === document.body) return true;
  for (let node = document.activeElement, up = 0; node && up < 5; node = node.parentElement, up++) {
    const style = getComputedStyle(node);
    if ((style.outlineStyle !== "none" && parseFloat(style.outlineWidth)) || style.boxShadow !== "none") return true;
  }
  return false;
}"""


@pytest.fixture(scope="module")
def own_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("flows")


@pytest.fixture(scope="module")
def own(own_home: Path) -> Iterator[Database]:
    opened = open_database(load_settings({"GROUPER_HOME": str(own_home)}).database_url)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def known(own: Database) -> dict[str, Run]:
    """Three runs that ended, and one at work whose worker is this very process: what is launched meanwhile waits."""
    found = {}
    for name, upto, rank in (("first", STEPS, 16), ("second", STEPS, 32), ("halted", 9, 16)):
        found[name] = add_run(own, name, upto, rank=rank)
    end_run(own, found["first"], RunStatus.COMPLETED)
    end_run(own, found["second"], RunStatus.COMPLETED)
    with own.writing() as connection:
        lifecycle.request_stop(connection, found["halted"].id, "test")
    end_run(own, found["halted"], RunStatus.STOPPED)
    found["working"] = add_run(own, "working", 20)
    return found


@pytest.fixture(scope="module")
def address(own_home: Path, known: dict[str, Run]) -> Iterator[str]:
    with serving(own_home) as served:
        yield served


@pytest.fixture
def tab(chromium: Any, address: str) -> Iterator[Any]:
    opened = chromium.new_page(viewport={"width": 1440, "height": 900}, base_url=address)
    problems: list[str] = []
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.set_default_timeout(15_000)
    yield opened
    opened.close()
    assert problems == []


def next_step(database: Database, run: Run) -> int:
    with database.writing() as connection:
        number = queries.get_run(connection, run.id).step + 1
        record_step(connection, run.id, sampled(number, random.Random(number)))
    return number


def newest(database: Database) -> Run:
    with database.reading() as connection:
        return queries.list_runs(connection, limit=1)[0]


@pytest.mark.skipif(not stack_report().can_train, reason="nothing can be launched without the training stack")
def test_a_launch_from_the_page_equals_the_command_it_shows(tab: Any, own: Database, own_home: Path) -> None:
    tab.goto("/")
    expect(tab.locator("#plan").get_by_role("status")).to_contain_text("Fits")
    expect(tab.locator("#notice")).to_contain_text("working is using the device")
    model = tab.get_by_label("Base model")
    model.press("Control+a")
    model.press_sequentially("no/such-model")
    model.press("Tab")
    expect(tab.locator("#field-model .field-error")).to_contain_text("no/such-model")
    expect(tab.locator("#field-model [role=option]")).to_have_count(0)
    model.click()
    tab.get_by_role("option", name="SmolLM2 135M").click()
    expect(tab.locator(".field-error")).to_have_count(0)
    tab.get_by_role("spinbutton", name="Group size").fill("1")
    expect(tab.locator("#field-group_size .field-error")).to_contain_text("group_size is 1")
    tab.get_by_role("spinbutton", name="Group size").fill("4")
    tab.get_by_text("Advanced").click()
    tab.get_by_label("Reward weights").fill("format=0.5")
    tab.get_by_label("Target modules").fill("q_proj, v_proj")
    tab.get_by_role("spinbutton", name="Temperature").fill("0.9")
    tab.get_by_text("As a command line").click()
    command = tab.locator("details[data-key=command] pre")
    expect(command).to_contain_text("temperature=0.9")
    expect(command).to_contain_text("group_size=4")
    expect(tab.locator(".field-error")).to_have_count(0)
    words = shlex.split(command.inner_text())
    tab.get_by_role("button", name="Queue run").click()
    tab.wait_for_url(re.compile(r"/run\?id=\w+"))
    expect(tab.get_by_role("heading", level=1)).to_contain_text("Queued")
    by_page = newest(own)
    environment = {**os.environ, "GROUPER_HOME": str(own_home)}
    said = subprocess.run(
        [sys.executable, "-m", "core", *words[1:]], cwd=PROJECT, env=environment, capture_output=True, text=True
    )
    assert said.returncode == 0, said.stderr
    by_command = newest(own)
    assert by_command.id != by_page.id
    assert by_command.config == by_page.config
    assert by_page.config.target_modules == ("q_proj", "v_proj")
    tab.get_by_role("button", name="Cancel run").click()
    expect(tab.get_by_role("heading", level=1)).to_contain_text("Cancelled")


@pytest.mark.skipif(not stack_report().can_train, reason="nothing can be launched without the training stack")
def test_a_run_is_launched_and_cancelled_with_the_keyboard_alone(tab: Any, own: Database) -> None:
    tab.goto("/")
    expect(tab.locator("#plan").get_by_role("status")).to_contain_text("Fits")
    expect(tab.locator("#launch-run")).to_be_enabled()
    tab_to(tab, "#field-name input, #field-name textarea")
    tab.keyboard.type("by keyboard")
    tab_to(tab, "#launch-run", most=3)
    tab.keyboard.press("Enter")
    tab.wait_for_url(re.compile(r"/run\?id=\w+"))
    expect(tab.get_by_role("heading", level=1)).to_contain_text("by keyboard")
    assert newest(own).name == "by keyboard"
    tab_to(tab, "[data-id=stop]")
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("heading", level=1)).to_contain_text("Cancelled")


def tab_to(tab: Any, wanted: str, most: int = 60) -> None:
    """Presses Tab until what is wanted has the focus; on the way every stop shows that it has it."""
    for _ in range(most):
        tab.keyboard.press("Tab")
        assert tab.evaluate(SHOWS_FOCUS), tab.evaluate("document.activeElement.outerHTML.slice(0, 200)")
        if tab.evaluate("wanted => document.activeElement.matches(wanted)", wanted):
            return
    pytest.fail(f"{wanted} was not reached")


def test_a_preset_and_pasted_json_fill_the_form(tab: Any) -> None:
    tab.goto("/")
    expect(tab.locator("#plan").get_by_role("status")).to_contain_text("Fits")
    tab.get_by_role("spinbutton", name="Prompts per step").fill("6")
    tab.get_by_text("As JSON").click()
    expect(tab.locator("details[data-key=json] pre")).to_contain_text('"prompts_per_step": 6')
    pasted = tab.locator("details[data-key=json] pre").inner_text()
    tab.get_by_text("Presets and import").click()
    tab.get_by_label("Keep as").fill("six prompts")
    tab.get_by_role("button", name="Keep preset").click()
    expect(tab.locator("#preset-said")).to_contain_text("Kept as six prompts")
    tab.reload()
    expect(tab.locator("#plan").get_by_role("status")).to_contain_text("Fits")
    tab.get_by_text("Presets and import").click()
    tab.get_by_label("Preset", exact=True).click()
    tab.get_by_role("option", name="six prompts").click()
    expect(tab.get_by_role("spinbutton", name="Prompts per step")).to_have_value("6")
    tab.get_by_label("Settings as JSON").fill(pasted.replace('"prompts_per_step": 6', '"prompts_per_step": 3'))
    tab.get_by_role("button", name="Fill in").click()
    expect(tab.get_by_role("spinbutton", name="Prompts per step")).to_have_value("3")
    tab.get_by_label("Settings as JSON").fill('{"no": "setting"}')
    tab.get_by_role("button", name="Fill in").click()
    expect(tab.locator("#plan").get_by_role("alert")).to_contain_text("which is missing")


@pytest.mark.skipif(not stack_report().can_train, reason="nothing can be resumed without the training stack")
def test_a_stopped_run_is_resumed_and_extended_from_its_page(tab: Any, known: dict[str, Run]) -> None:
    tab.goto(f"/run?id={known['halted'].id}")
    expect(tab.get_by_role("heading", level=1)).to_contain_text("Stopped")
    tab.get_by_role("button", name="Resume").click()
    expect(tab.get_by_role("heading", level=1)).to_contain_text("Queued")
    tab.get_by_role("button", name="Cancel run").click()
    expect(tab.get_by_role("heading", level=1)).to_contain_text("Cancelled")
    tab.get_by_text("Extend", exact=True).click()
    tab.get_by_label("Steps in all").fill("5")
    tab.get_by_role("button", name="Extend run").click()
    expect(tab.get_by_role("alert")).to_contain_text("of which 9 are done")
    tab.get_by_text("Extend", exact=True).click()
    tab.get_by_label("Steps in all").fill("77")
    tab.get_by_role("button", name="Extend run").click()
    expect(tab.locator("#headline")).to_contain_text("Step 9 of 77")
    tab.get_by_role("button", name="Cancel run").click()
    expect(tab.get_by_role("heading", level=1)).to_contain_text("Cancelled")


def test_runs_are_narrowed_by_a_link_and_acted_on_together(tab: Any, own: Database) -> None:
    for name in ("spare one", "spare two"):
        end_run(own, add_run(own, name, 2), RunStatus.COMPLETED)
    tab.goto("/runs?search=spare&sort=name")
    names = tab.locator("table.runs tbody td[data-head=Run] a")
    expect(names).to_have_text(["spare one", "spare two"])
    tab.get_by_label("Select all runs here").check()
    expect(tab.get_by_text("2 runs selected")).to_be_visible()
    tab.get_by_role("textbox", name="Tag").fill("mine")
    tab.get_by_role("button", name="Add tag").click()
    expect(tab.locator(".tag", has_text="mine")).to_have_count(2)
    tab.get_by_role("button", name="Run ↑").click()
    expect(names).to_have_text(["spare two", "spare one"])
    tab.get_by_label("Search runs").fill("")
    tab.locator("select[data-field=tag]").select_option("mine")
    expect(tab).to_have_url(re.compile("tag=mine"))
    tab.reload()
    expect(names).to_have_text(["spare two", "spare one"])
    tab.get_by_label("Select spare one").check()
    tab.get_by_role("button", name="Archive", exact=True).click()
    expect(names).to_have_text(["spare two"])
    tab.get_by_label("Archive", exact=True).check()
    expect(names).to_have_text(["spare one"])
    tab.get_by_label("Select spare one").check()
    tab.get_by_role("button", name="Delete").click()
    tab.get_by_role("dialog").get_by_role("button", name="Keep").click()
    expect(names).to_have_text(["spare one"])
    tab.get_by_role("button", name="Delete").click()
    tab.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(tab.get_by_role("heading", name="No runs match")).to_be_visible()


def test_two_runs_are_compared_and_the_link_restores_it(tab: Any, known: dict[str, Run]) -> None:
    tab.goto("/runs?state=completed")
    tab.get_by_label("Select first").check()
    tab.get_by_label("Select second").check()
    tab.get_by_role("link", name="Compare", exact=True).last.click()
    expect(tab.locator(".chart-canvas canvas").first).to_be_visible()
    expect(tab.locator("#differences")).to_contain_text("rank")
    expect(tab.locator("#final")).to_contain_text("Reward, last steps")
    expect(tab.get_by_label("Completions side by side").locator("section")).to_have_count(2)
    tab.locator("select[data-field=prompt]").select_option(index=2)
    expect(tab).to_have_url(re.compile(r"prompt=2"))
    shown = tab.locator("#said .prompt").inner_text()
    tab.reload()
    expect(tab.locator("#said .prompt")).to_have_text(shown)
    tab.get_by_role("button", name="Leave out second").click()
    expect(tab.locator("#differences")).to_contain_text("the same settings")
    expect(tab).to_have_url(re.compile(rf"runs={known['first'].id}(&|$)"))


def test_a_live_page_does_not_jump_and_keeps_its_zoom(tab: Any, own: Database, known: dict[str, Run]) -> None:
    tab.goto(f"/run?id={known['working'].id}&smooth=0.6&axis=time")
    canvas = tab.locator("#charts .u-over").first
    expect(canvas).to_be_visible()
    assert tab.locator("[data-smooth]").input_value() == "0.6"
    expect(tab.get_by_label("Time", exact=True)).to_be_checked()
    tab.get_by_label("Steps", exact=True).check()
    box = canvas.bounding_box()
    tab.mouse.move(box["x"] + 30, box["y"] + 40)
    tab.mouse.down()
    tab.mouse.move(box["x"] + box["width"] / 2, box["y"] + 40)
    tab.mouse.up()
    expect(tab.locator(".charts.zoomed")).to_be_visible()
    tab.evaluate(SHIFTS)
    for _ in range(3):
        number = next_step(own, known["working"])
        expect(tab.locator("#headline")).to_contain_text(f"Step {number} of {STEPS}")
    assert tab.evaluate("window.shift") < 0.05
    expect(tab.locator(".charts.zoomed")).to_be_visible()
    tab.get_by_role("button", name="See all").click()
    expect(tab.locator(".charts.zoomed")).to_have_count(0)
    assert "smooth=0.6" in tab.url


def test_two_browsers_see_the_same_and_a_reload_loses_nothing(
    tab: Any, chromium: Any, address: str, own: Database, known: dict[str, Run]
) -> None:
    other = chromium.new_page(base_url=address)
    for each in (tab, other):
        each.goto(f"/run?id={known['working'].id}")
        expect(each.locator("#headline")).to_contain_text("Step")
    tab.get_by_label("Notes").fill("seen by <b>both</b>")
    tab.get_by_role("button", name="Save notes").click()
    expect(other.get_by_label("Notes")).to_have_value("seen by <b>both</b>")
    number = next_step(own, known["working"])
    tab.reload()
    for each in (tab, other):
        expect(each.locator("#headline")).to_contain_text(f"Step {number} of {STEPS}")
    other.close()


@pytest.mark.long
def test_a_page_finds_the_server_again_after_its_restart(chromium: Any, tmp_path: Path) -> None:
    database = open_database(load_settings({"GROUPER_HOME": str(tmp_path)}).database_url)
    run = add_run(database, "working", 5)
    tab = chromium.new_page()
    with serving(tmp_path) as first:
        port = int(first.rsplit(":", 1)[1])
        tab.goto(f"{first}/run?id={run.id}")
        expect(tab.locator("#headline")).to_contain_text("Step 5")
        for child in psutil.Process().children():
            if "app.py" in " ".join(child.cmdline()) and str(port) in child.environ().get("GRADIO_SERVER_PORT", ""):
                child.kill()
    expect(tab.get_by_text("The dashboard does not answer")).to_be_visible(timeout=15_000)
    number = next_step(database, run)
    with serving(tmp_path, port=port):
        expect(tab.locator("#headline")).to_contain_text(f"Step {number}", timeout=20_000)
        expect(tab.get_by_text("The dashboard does not answer")).not_to_be_visible()
        tab.close()
    database.close()


PAGES = (
    "",
    "runs",
    "run?id={run}",
    "compare?runs={run},{other}",
    "tasks",
    "task?name=addition",
    "new-task",
    "doctor",
    "about",
    "completions?run={run}&step=3&group=2",
    "find?run={run}&last_step=9",
    "completion?id={completion}",
    "prompt?id={completion}",
    "replay?run={run}&weight:correctness=0.5",
    "evaluation?run={run}",
)


@pytest.mark.parametrize("page_name", PAGES)
def test_no_page_has_a_serious_accessibility_finding(
    tab: Any, own: Database, known: dict[str, Run], page_name: str
) -> None:
    with own.reading() as connection:
        found, _ = list_completions(connection, known["first"].id, CompletionFilter(limit=1))
    names = {"run": known["first"].id, "other": known["second"].id, "completion": found[0].id}
    tab.goto(f"/{page_name.format(**names)}")
    expect(tab.get_by_role("heading", level=1)).to_be_visible()
    expect(tab.locator(".skeleton")).to_have_count(0)
    for colours in ("light", "dark"):
        tab.evaluate("dark => document.body.classList.toggle('dark', dark)", colours == "dark")
        tab.wait_for_timeout(400)  # colours move in 140 ms
        found = Axe().run(tab).response["violations"]
        serious = [
            f"{colours} {each['id']}: {each['help']} {[node['html'][:160] for node in each['nodes'][:3]]}"
            for each in found
            if each["impact"] in ("serious", "critical")
        ]
        assert serious == []
