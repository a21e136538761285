"""The pieces of the pages, each from records to HTML."""

import random
import re
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from samples import HOSTILE, sampled

from core.config import make_config
from core.planner import NAMES
from core.records.rollout import Completion, RewardScore
from core.records.run import Event, LoadPhase, PlannedMemory, Run
from core.records.status import RunStatus
from core.records.step import Step
from core.store.runs.history import History
from core.store.runs.table import RunFilter, RunPage, RunRow
from core.units import GIB
from webui.components.budget_bar import COLOURS, budget_bar
from webui.components.charts import compared_charts, run_charts, run_styles
from webui.components.completions import completion_card, groups_view
from webui.components.config_panel import config_panel
from webui.components.run_controls import controls
from webui.components.run_panels import events_panel, heading, headline, log_panel, step_picker
from webui.components.runs_table import address, filter_bar, runs_table
from webui.components.status_chip import run_chip
from webui.components.time_bar import time_bars

NOW = 1_000_000.0


def run_of(status: RunStatus = RunStatus.RUNNING, name: str = "a run", **values: Any) -> Run:
    config = make_config({"model": "smollm2-135m", "recipe": "addition"})
    return replace(Run("abcd2345", name, status, config, NOW - 60, started_at=NOW - 50, step=10), **values)


def history_of(steps: list[Step]) -> History:
    seconds = {name: sum(step.seconds[name] for step in steps) for name in (steps[0].seconds if steps else ())}
    last = steps[-1].number if steps else 0
    return History("abcd2345", 1, 1, tuple(steps), 1, last, len(steps), seconds)


@pytest.mark.parametrize("status", RunStatus)
def test_a_status_is_an_icon_and_a_word_and_a_colour(status: RunStatus) -> None:
    html = run_chip(run_of(status))
    assert "<svg" in html
    assert status.value.capitalize() in html
    assert f'class="chip {status.value}"' in html


def completion(**values: Any) -> Completion:
    scores = (RewardScore("correctness", 1.0), RewardScore("format", None, "ValueError: <b>"))
    return replace(Completion(0, "hello", "stop", 0.8, -0.5, scores, length=3), **values)


def test_a_completion_shows_its_reward_with_the_parts() -> None:
    html = completion_card(completion())
    assert ">0.80</button>" in html
    assert "correctness: 1.00\nformat: unscored (ValueError: &lt;b&gt;)" in html
    assert "3 tokens" in html
    assert "−0.50" in html
    assert 'class="cut"' not in html


def test_a_completion_that_was_cut_is_marked() -> None:
    assert 'class="cut"' in completion_card(completion(finish_reason="length"))


def test_a_group_says_its_prompt_once_and_keeps_the_order_it_is_given() -> None:
    step = sampled(3, random.Random(0), HOSTILE)
    html = groups_view(step.groups[:1])
    assert html.count("What is 2+5?") == 1
    assert html.count('class="answer"') == len(step.groups[0].completions)
    assert "<script" not in html
    assert "<img" not in html


def table(runs: list[Run], **values: Any) -> str:
    page = RunPage(tuple(RunRow(run) for run in runs), len(runs), 1, values.pop("pages", 1))
    return runs_table(page, RunFilter(), NOW, **values)


def test_the_table_of_runs_escapes_names_and_offers_stop_only_where_it_helps() -> None:
    rows = [run_of(name=HOSTILE, tags=(HOSTILE,)), run_of(RunStatus.COMPLETED), run_of(RunStatus.STOPPING)]
    html = table(rows, pages=3)
    assert "<script" not in html
    assert html.count('data-trigger="stop"') == 1
    assert 'href="run?id=abcd2345"' in html
    assert 'href="runs?page=2"' in html
    assert 'data-trigger="stop"' not in table(rows, may_change=False)
    assert "data-bulk" not in table(rows, may_change=False)


def test_a_row_draws_its_reward_and_says_it() -> None:
    page = RunPage((RunRow(run_of(), (0.2, 0.5, 0.9), 512.4, 61.0),), 1, 1, 1)
    html = runs_table(page, RunFilter(), NOW)
    assert "Reward from 0.20 to 0.90" in html
    assert ">512<" in html
    assert "1 min 1 s left" in html


def test_the_filter_bar_names_what_is_chosen_and_the_address_follows() -> None:
    wanted = RunFilter(search='"><script>', recipe="gone", sort="-reward")
    html = filter_bar(wanted, {"state": [("failed", 2)], "model": [], "recipe": [("addition", 3)], "tag": []})
    assert "<script" not in html
    assert '<option value="gone" selected translate="no">' in html
    assert "Failed (2)" in html
    assert "&quot;sort&quot;: &quot;-reward&quot;, &quot;page&quot;: null" in html
    assert address(wanted, page=2) == "runs?search=%22%3E%3Cscript%3E&recipe=gone&sort=-reward&page=2"
    assert address(RunFilter()) == "runs"


def test_controls_name_what_they_do() -> None:
    assert "Stop after this step" in controls(run_of(), NOW, paused=False, may_change=True)
    assert "Cancel run" in controls(run_of(RunStatus.QUEUED), NOW, paused=False, may_change=True)
    assert "Stop" not in controls(run_of(), NOW, paused=False, may_change=False)
    assert "Resume updates" in controls(run_of(), NOW, paused=True, may_change=True)
    assert "Stop now" in controls(run_of(RunStatus.STOPPING), NOW, paused=False, may_change=True)
    assert "Launch again" in controls(run_of(RunStatus.FAILED, step=0), NOW, paused=False, may_change=True)
    assert "Resume" in controls(run_of(RunStatus.LOST, step=3), NOW, paused=False, may_change=True)
    assert "Extend" in controls(run_of(RunStatus.COMPLETED, step=40), NOW, paused=False, may_change=True)
    assert controls(run_of(RunStatus.FAILED), NOW, paused=False, may_change=False) == ""
    done = controls(run_of(RunStatus.COMPLETED, step=40), NOW, paused=False, may_change=True)
    assert "Clone with changes" in done
    assert "Resume" not in done


def test_the_headline_tells_progress_phase_and_time_left() -> None:
    steps = [replace(sampled(number, random.Random(1)), at=NOW + 4 * number) for number in range(1, 11)]
    past = history_of(steps)
    html = headline(run_of(phase="generate", phase_started_at=NOW - 3), past, NOW)
    assert "Step 10 of 40" in html
    assert "Sampling completions" in html
    assert "about 2 min left" in html
    assert "left" not in headline(run_of(RunStatus.COMPLETED), past, NOW)


def test_panels_escape_what_they_are_given() -> None:
    config = make_config({"model": "smollm2-135m", "recipe": "addition", "dataset": HOSTILE})
    for html in (
        heading(run_of(name=HOSTILE)),
        log_panel(HOSTILE),
        events_panel([Event(NOW, "queued", HOSTILE, HOSTILE)]),
        config_panel(config),
        headline(run_of(phase=HOSTILE), history_of([]), NOW),
    ):
        assert "<script" not in html
        assert "<img" not in html


def test_the_step_picker_remembers_a_chosen_step_and_forgets_the_latest() -> None:
    assert "&quot;step&quot;: &quot;3&quot;" in step_picker(3, 9, follows=False)
    assert "&quot;step&quot;: null" in step_picker(9, 9, follows=True)
    assert "Step 3 of 9" in step_picker(3, 9, follows=False)
    assert step_picker(9, 9, follows=True).count("disabled") == 2
    assert "<button" not in step_picker(0, 0, follows=True)


def test_a_runs_charts_show_the_reward_with_its_functions_and_the_plan_beside_the_memory() -> None:
    steps = [sampled(number, random.Random(number)) for number in range(1, 4)]
    run = run_of(plan=PlannedMemory(8 * GIB, {"rollout": 2 * GIB, "update": 3 * GIB}))
    value = run_charts(run, history_of(steps))
    charts = {chart["title"]: chart for chart in value["charts"]}
    assert [line["name"] for line in charts["Reward"]["lines"]] == ["Reward", "correctness", "format"]
    assert [line["level"] for line in charts["Memory"]["lines"]] == [None, 2.0, None, 3.0]
    assert charts["KL to the base model"]["empty"] == "Not measured: beta is 0."
    (source,) = value["sources"]
    assert source["steps"] == [1, 2, 3]
    assert source["values"]["seconds/generate"] == [1.3] * 3
    assert run_charts(run, history_of(steps), after=2)["sources"][0]["steps"] == [3]


def test_compared_runs_differ_in_colour_or_dash() -> None:
    runs = [run_of(id=f"run{place:05d}") for place in range(20)]
    ids = [run.id for run in runs]
    assert len(set(run_styles(ids).values())) >= 15
    assert run_styles(ids[3:4])[ids[3]][0] == run_styles(ids)[ids[3]][0]
    value = compared_charts([(run, history_of([])) for run in runs])
    assert all(len(chart["lines"]) == 20 for chart in value["charts"])


def test_time_is_split_into_loading_and_training() -> None:
    steps = [sampled(number, random.Random(number)) for number in (1, 2)]
    html = time_bars([LoadPhase("engine", 12.0), LoadPhase("adapter", 0.5)], history_of(steps))
    assert "Loading" in html
    assert "Engine" in html
    assert "3.5 s a step" in html
    assert "first phase" in time_bars([], history_of([]))


def plan_of(capacity: int, fits: bool) -> Any:
    lines = [SimpleNamespace(name=name, bytes=GIB, formula=f"<{name}>") for name in COLOURS]
    phase = SimpleNamespace(name="training", lines=lines, total_bytes=GIB * len(lines))
    cache = SimpleNamespace(bytes=GIB, blocks=100, tokens=1600, full_length_sequences=5)
    workload = SimpleNamespace(completion_tokens=1024, prompt_tokens=256, batch_size=32)
    return SimpleNamespace(
        fits=fits,
        sentence="It <fits>.",
        capacity_bytes=capacity,
        advice=() if fits else ("Lower <rank> to 32.",),
        phases=(phase,),
        peak_bytes=phase.total_bytes,
        peak_phase="training",
        kv_cache=cache,
        workload=workload,
    )


def test_a_plan_that_fits_has_no_hatching() -> None:
    html = budget_bar(plan_of(24 * GIB, fits=True), "RTX 4090")
    assert "It &lt;fits&gt;." in html
    assert "beyond" not in html
    assert 'aria-label="Training: Base weights 1.0 GiB' in html
    assert "RTX 4090: 24.0 GiB" in html
    assert "&lt;margin&gt;" in html
    assert "5 completions of 1,024 tokens at once" in html


def test_what_does_not_fit_is_hatched_beyond_the_capacity() -> None:
    html = budget_bar(plan_of(8 * GIB, fits=False), "RTX 3070", ["lower <rank> to 32."])
    assert "does-not-fit" in html
    assert "<li lang=en>Lower &lt;rank&gt; to 32.</li>" in html
    assert re.search(r'class="beyond" style="left:66.667%;width:33.333%"', html)


def test_every_line_of_a_plan_has_a_colour_of_its_own() -> None:
    assert tuple(COLOURS) == NAMES
    assert len(set(COLOURS.values())) == len(NAMES)


def test_segments_keep_the_order_of_the_plan() -> None:
    titles = re.findall(r'class="segment"[^>]*title="([^:]+):', budget_bar(plan_of(24 * GIB, fits=True), "GPU"))
    assert [title.lower() for title in titles] == [name.lower() for name in COLOURS]
