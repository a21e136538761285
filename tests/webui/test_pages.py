"""The pages in a real browser, over a dashboard started the way a user starts it."""

import random
import re
from typing import Any

import pytest
from playwright.sync_api import expect
from samples import STEPS, sampled

from core.installation import stack_report
from core.jobs import doctor
from core.store import Database
from core.store.rollouts.record import record_step
from core.store.runs import queries

pytestmark = pytest.mark.browser
LOOKED = 6  # what the doctor sees at a glance, the dashboard itself among it
PHONE = {"width": 390, "height": 844}


def test_launch_shows_the_recipe_and_where_the_memory_goes(page: Any) -> None:
    page.goto("/")
    expect(page.get_by_role("heading", name="Launch a run")).to_be_visible()
    expect(page.get_by_role("navigation", name="Main").get_by_role("link", name="Runs")).to_be_visible()
    expect(page.get_by_label("Base model")).to_have_value(re.compile("SmolLM2 135M"))
    expect(page.get_by_role("heading", name="Example prompt")).to_be_visible()
    expect(page.get_by_label("Memory plan").get_by_role("status")).to_contain_text("GiB")
    assert page.get_by_role("img").count() >= 1


def test_launch_redraws_the_plan_and_says_what_is_wrong_with_a_value(page: Any) -> None:
    page.goto("/")
    plan = page.locator("#plan")
    expect(plan.get_by_role("status")).to_contain_text("GiB")
    page.get_by_role("spinbutton", name="Group size").fill("1")
    expect(plan.get_by_role("alert")).to_contain_text("group_size is 1")
    page.get_by_role("spinbutton", name="Group size").fill("4")
    expect(plan.get_by_role("status")).to_contain_text("GiB")


def test_best_settings_fill_the_form_and_say_why(page: Any) -> None:
    page.goto("/")
    expect(page.locator("#plan").get_by_role("status")).to_contain_text("Fits")
    page.get_by_role("spinbutton", name="Group size").fill("64")
    page.get_by_role("button", name="Best settings for this GPU").click()
    expect(page.locator("#best-reasons")).to_contain_text("Filled in for this device, and why")
    expect(page.locator("#best-reasons")).to_contain_text("steady comparison")
    # Half as large where this machine computes in fp32 and each number takes twice the room.
    expect(page.get_by_role("spinbutton", name="Group size")).to_have_value(re.compile("^[48]$"))
    expect(page.locator("#plan").get_by_role("status")).to_contain_text("Fits")


def test_insisting_is_offered_only_when_the_plan_does_not_fit(page: Any) -> None:
    page.goto("/")
    expect(page.locator("#plan").get_by_role("status")).to_contain_text("Fits")
    box = page.get_by_label("Launch although the plan does not fit")
    expect(box).to_have_count(0)
    page.get_by_role("spinbutton", name="Prompts per step").fill("4000")
    expect(page.locator("#plan").get_by_role("status")).to_contain_text("Does not fit")
    expect(box).to_be_visible()
    page.get_by_role("spinbutton", name="Prompts per step").fill("4")
    expect(box).to_have_count(0)


def test_the_cache_is_told_in_completions_and_the_estimate_explained(page: Any) -> None:
    page.goto("/")
    expect(page.locator("#plan")).to_contain_text(re.compile(r"\d+ completions of \d+ tokens at once"))
    page.get_by_text("How this is computed").click()
    expect(page.locator("#computed")).to_contain_text("Engine 12 GB at 0.5")


def test_the_doctor_looks_at_once_and_explains_what_goes_wrong(page: Any) -> None:
    page.goto("/doctor")
    expect(page.get_by_role("heading", level=1)).to_have_text("Doctor")
    checks = page.locator(".checks li")
    expect(checks).to_have_count(LOOKED + len(doctor.TRIED))
    expect(checks.filter(has_text="Database")).to_contain_text("sound")
    expect(page.locator("[data-key=check-engine]")).to_contain_text("Not tried")
    expect(page.locator("#versions")).to_contain_text("python")
    expect(page.locator(".trouble code", has_text="make setup").first).to_be_visible()
    page.get_by_text("Another program holds the GPU's memory").click()
    expect(page.get_by_text("nvidia-smi lists it", exact=False)).to_be_visible()


def test_the_doctor_leaves_a_running_run_its_device(page: Any, runs: dict[str, str]) -> None:
    page.goto("/doctor")
    expect(page.locator(".checks li")).to_have_count(LOOKED + len(doctor.TRIED))
    page.get_by_role("button", name="Run all checks").click()
    expect(page.locator(".checks")).to_contain_text("running run is using the device")
    expect(page.get_by_role("button", name="Run all checks")).to_be_enabled()


def test_launch_is_possible_exactly_where_the_stack_is(page: Any) -> None:
    page.goto("/")
    button = page.get_by_role("button", name=re.compile("Launch run|Queue run"))
    if stack_report().can_train:
        expect(button).to_be_enabled()
    else:
        expect(page.locator("#notice")).to_contain_text("cannot train")
        expect(button).to_be_disabled()


def test_runs_lists_every_run_newest_first(page: Any, runs: dict[str, str]) -> None:
    page.goto("/runs")
    names = page.locator("table.runs tbody td[data-head=Run]")
    expect(names).to_have_count(3)
    assert names.all_inner_texts() == ["running run", "failed <b>run</b>", "finished run"]
    expect(page.get_by_role("button", name="Stop: running run")).to_be_visible()
    page.get_by_role("link", name="finished run").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("finished run")
    assert page.url.endswith(f"/run?id={runs['finished']}")


def test_a_finished_run_can_be_read(page: Any, runs: dict[str, str]) -> None:
    page.goto(f"/run?id={runs['finished']}")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Completed")
    expect(page.get_by_role("progressbar", name="Steps done")).to_have_attribute("aria-valuenow", str(STEPS))
    expect(page.locator(".chart-canvas canvas").first).to_be_visible()
    expect(page.get_by_role("article", name="Group 1")).to_contain_text("What is 2+5?")
    expect(page.get_by_role("button", name="Pause updates")).to_have_count(0)


def test_the_step_stays_in_the_address(page: Any, runs: dict[str, str]) -> None:
    page.goto(f"/run?id={runs['finished']}")
    page.get_by_role("button", name="Previous").click()
    expect(page.locator(".picker")).to_contain_text(f"Step {STEPS - 1} of {STEPS}")
    expect(page).to_have_url(re.compile(f"step={STEPS - 1}$"))
    page.reload()
    expect(page.locator(".picker")).to_contain_text(f"Step {STEPS - 1} of {STEPS}")
    page.get_by_role("slider", name="Step").focus()
    page.keyboard.press("Home")
    expect(page.locator(".picker")).to_contain_text(f"Step 1 of {STEPS}")
    page.get_by_role("button", name="Latest").click()
    expect(page).to_have_url(re.compile(r"/run\?id=\w+$"))


def test_a_failed_run_says_what_to_do_and_runs_no_text_of_others(page: Any, runs: dict[str, str]) -> None:
    page.goto(f"/run?id={runs['failed']}")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("ran out of memory")
    expect(alert).to_contain_text("Lower per_device_train_batch_size to 8.")
    alert.get_by_text("Details").click()
    expect(alert).to_contain_text("torch.OutOfMemoryError")
    expect(page.get_by_role("heading", level=1)).to_contain_text("failed <b>run</b>")
    expect(page.locator("#groups")).to_contain_text("${1 + 1} {{value}}")
    assert page.evaluate("window.hacked") is None


def test_a_running_run_is_followed_and_what_was_opened_stays_open(
    page: Any, runs: dict[str, str], database: Database
) -> None:
    page.goto(f"/run?id={runs['running']}")
    with database.reading() as connection:
        last = queries.get_run(connection, runs["running"]).step
    expect(page.locator("#headline")).to_contain_text(f"Step {last} of {STEPS}")
    settings = page.locator("details[data-key=config]")
    settings.locator("summary").click()
    with database.writing() as connection:
        record_step(connection, runs["running"], sampled(last + 1, random.Random(last)))
    expect(page.locator("#headline")).to_contain_text(f"Step {last + 1} of {STEPS}")
    expect(settings).to_have_attribute("open", "")
    page.get_by_role("button", name="Pause updates").click()
    expect(page.get_by_role("button", name="Resume updates")).to_be_visible()


def test_a_run_can_be_cloned_with_its_settings(page: Any, runs: dict[str, str]) -> None:
    page.goto(f"/run?id={runs['finished']}")
    page.get_by_role("link", name="Clone with changes").click()
    page.wait_for_url(re.compile(rf"like={runs['finished']}"))
    expect(page.get_by_role("spinbutton", name="Steps", exact=True)).to_have_value(str(STEPS))
    expect(page.locator("#plan").get_by_role("status")).to_contain_text("Fits")
    page.goto("/?like=nobody")
    expect(page.locator("#problem").get_by_role("alert")).to_contain_text("does not exist")


def test_a_run_that_memory_ended_offers_what_needs_less(page: Any, runs: dict[str, str]) -> None:
    page.goto(f"/run?id={runs['failed']}")
    ways = page.get_by_role("heading", name="What would need less memory")
    expect(ways).to_be_visible()
    page.get_by_role("link", name="Launch again with the change").first.click()
    page.wait_for_url(re.compile("with="))
    page.get_by_text("Advanced").click()
    expect(page.get_by_label("Gradient checkpointing")).to_be_checked()
    expect(page.get_by_role("combobox", name="LoRA rank")).to_have_value("16")


def test_an_unknown_run_says_what_to_do(page: Any) -> None:
    page.goto("/run?id=%3Cb%3Enope")
    expect(page.get_by_role("heading", name="No such run")).to_be_visible()
    expect(page.get_by_role("link", name="All runs")).to_be_visible()


@pytest.mark.parametrize(
    ("address", "filled"),
    [
        ("/", "#plan .verdict"),
        ("/runs", "table.runs"),
        ("/run?id=finished", ".chart-canvas canvas"),
        ("/compare?runs=finished", ".chart-canvas canvas"),
        ("/doctor", ".checks"),
        ("/about", "#versions table"),
    ],
    ids=["launch", "runs", "run", "compare", "doctor", "about"],
)
def test_nothing_is_wider_than_a_phone(page: Any, runs: dict[str, str], address: str, filled: str) -> None:
    page.set_viewport_size(PHONE)
    page.goto(address.replace("finished", runs["finished"]))
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.locator(filled).first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    expect(page.get_by_role("navigation", name="Main").get_by_role("link", name="Launch")).to_be_visible()


def test_stopping_asks_the_worker_and_says_so(page: Any, runs: dict[str, str]) -> None:
    page.goto(f"/run?id={runs['running']}")
    page.get_by_role("button", name=re.compile("Stop after this step")).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Stopping")
