"""Tasks of one's own in the browser: a table becomes a task, is checked, agreed to, shared, and can be launched."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dashboard_support import serving
from own_support import CAPITALS, TASK, make_task, saved, write_capitals
from playwright.sync_api import expect

from core.settings import load_settings
from core.tasks.own.saved import list_saved

pytestmark = pytest.mark.browser
SLOW = 20_000
BRIEF = '''"""Scores."""


def brief(completions, **kwargs):
    """1 for an answer of at most forty characters."""
    return [float(len(each[0]["content"]) <= 40) for each in completions]
'''


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tasks")


@pytest.fixture(scope="module")
def dashboard(home: Path) -> Iterator[str]:
    with serving(home) as address:
        yield address


@pytest.fixture
def page(chromium: Any, dashboard: str) -> Iterator[Any]:
    context = chromium.new_context(base_url=dashboard, viewport={"width": 1440, "height": 900}, accept_downloads=True)
    tab = context.new_page()
    yield tab
    context.close()


def opened(page: Any, path: Path) -> None:
    """The page New task with this file open."""
    page.goto("/new-task")
    expect(page.locator("#preview")).to_contain_text("first prompt stands here")
    page.locator("#upload input[type=file]").set_input_files(path)
    expect(page.locator("#columns")).to_contain_text("Taken for", timeout=SLOW)


def typed(page: Any, field: str, text: str) -> None:
    box = page.locator(f"#{field} textarea, #{field} input").first
    box.fill("")
    box.press_sequentially(text)


def test_a_table_becomes_a_task_that_can_be_launched(page: Any, home: Path, tmp_path: Path) -> None:
    path = write_capitals(tmp_path, [*CAPITALS, ("France", "Paris")])
    with path.open("a", encoding="utf-8") as file:
        file.write("Nowhere,too,many\n")
    opened(page, path)
    expect(page.locator("#columns")).to_contain_text("named 'answer'")
    typed(page, "field-user", "What is the capital of {country}?")
    expect(page.locator("#preview")).to_contain_text("What is the capital of France?", timeout=SLOW)
    page.get_by_role("button", name="Check all rows").click()
    expect(page.locator("#rows")).to_contain_text("capitals.csv, line 13", timeout=SLOW)
    expect(page.locator("#rows")).to_contain_text("Rows with the prompt of an earlier row")
    page.get_by_role("button", name="Save task").click()
    page.wait_for_url(re.compile(r"/task\?name=capitals"), timeout=SLOW)
    expect(page.get_by_role("heading", level=1)).to_have_text("capitals")
    page.get_by_role("button", name="Check", exact=True).click()
    expect(page.locator("#checked")).to_contain_text("The rewards are sound", timeout=SLOW)
    page.get_by_role("link", name="Launch with this task").click()
    expect(page.get_by_label("Task", exact=True)).to_have_value("capitals", timeout=SLOW)
    expect(page.locator("#plan").get_by_role("status")).to_contain_text("GiB", timeout=SLOW)
    expect(page.locator("#recipe-about")).to_contain_text("What is the capital of")
    [task] = list_saved(load_settings({"GROUPER_HOME": str(home)}).tasks)
    expect(page.locator("#same")).to_contain_text(task.name)


def test_what_cannot_be_asked_is_said_beside_it_and_mended(page: Any, tmp_path: Path) -> None:
    opened(page, write_capitals(tmp_path))
    typed(page, "field-user", "What is {city}?")
    expect(page.locator("#preview")).to_contain_text("the data has no column city", timeout=SLOW)
    typed(page, "field-user", "What is {country}?")
    expect(page.locator("#preview")).to_contain_text("What is France?", timeout=SLOW)
    typed(page, "field-system", "Answer in one word.")
    typed(page, "field-shots", "0")
    expect(page.locator("#preview")).to_contain_text("looks for <answer>", timeout=SLOW)


def test_a_file_that_is_no_table_is_refused_in_a_sentence(page: Any, tmp_path: Path) -> None:
    page.goto("/new-task")
    expect(page.locator("#preview")).to_contain_text("first prompt stands here")
    typed(page, "field-source", str(tmp_path / "gone.csv"))
    page.get_by_role("button", name="Open data").click()
    expect(page.locator("#problem")).to_contain_text("does not exist", timeout=SLOW)


def test_a_file_of_ones_own_waits_until_its_owner_agrees(page: Any, home: Path, tmp_path: Path) -> None:
    text = (
        TASK.replace('name = "capitals"', 'name = "brief"')
        + '\n[[reward]]\npython = "rewards.py:brief"\nweight = 0.1\n'
    )
    tasks = load_settings({"GROUPER_HOME": str(home)}).tasks
    name = saved(make_task(tmp_path / "brief", text, BRIEF), tasks).name
    page.goto("/tasks")
    expect(page.locator("#mine")).to_contain_text("its Python file waits for your agreement")
    page.goto(f"/task?name={name}")
    expect(page.locator("#rewards")).to_contain_text("Read this file before it scores")
    expect(page.locator("#rewards")).to_contain_text("at most forty characters")
    expect(page.locator("#rewards")).to_contain_text(re.compile("protected by (bubblewrap|landlock|plain)"))
    page.get_by_role("button", name="Check", exact=True).click()
    expect(page.locator("#checked")).to_contain_text("nobody has agreed", timeout=SLOW)
    page.get_by_role("button", name="I have read it").click()
    expect(page.locator("#rewards")).to_contain_text("You have agreed to this file", timeout=SLOW)
    page.get_by_role("button", name="Check", exact=True).click()
    expect(page.locator("#checked")).to_contain_text("forged verdict", timeout=SLOW)


def test_a_task_is_shared_as_one_file(page: Any, home: Path, tmp_path: Path) -> None:
    text = TASK.replace('name = "capitals"', 'name = "shared"')
    name = saved(make_task(tmp_path / "shared", text), tmp_path / "elsewhere").name
    here = load_settings({"GROUPER_HOME": str(home)}).tasks
    saved(make_task(tmp_path / "again", text), here)
    page.goto(f"/task?name={name}")
    with page.expect_download() as download:
        page.get_by_role("link", name="Export").click()
    archive = tmp_path / "task.zip"
    download.value.save_as(archive)
    for folder in here.glob("shared@*"):
        for path in sorted(folder.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        folder.rmdir()
    page.goto("/tasks")
    page.locator("#import-task").locator("xpath=..").locator("input[type=file]").set_input_files(archive)
    expect(page.locator("#mine")).to_contain_text(name, timeout=SLOW)


def test_a_read_only_dashboard_shows_tasks_and_changes_none(chromium: Any, home: Path) -> None:
    with serving(home, GROUPER_READ_ONLY="1") as address:
        page = chromium.new_page(base_url=address)
        page.goto("/tasks")
        expect(page.locator("#mine")).to_contain_text("capitals")
        expect(page.get_by_role("link", name="New task")).to_have_count(0)
        page.goto("/new-task")
        expect(page.get_by_text("This dashboard is read-only")).to_be_visible()
        page.goto("/task?name=addition")
        expect(page.locator("#examples")).to_contain_text("What is")
        expect(page.get_by_role("button", name="Try it")).not_to_be_visible()
        page.close()
