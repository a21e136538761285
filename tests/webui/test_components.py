"""The pieces of the pages, each from records to HTML."""

import random
import re
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from samples import HOSTILE, sampled

from core.budget import NAMES
from core.config import make_config
from core.runs import Completion, Event, LoadPhase, RewardScore, Run, RunStatus
from core.units import GIB
from webui.components.budget_bar import COLOURS, budget_bar
from webui.components.completions import completion_card, groups_view
from webui.components.curves import POINTS, curves, curves_table
from webui.components.run_panels import config_panel, controls, events_panel, heading, headline, log_panel, step_picker
from webui.components.runs_table import runs_table
from webui.components.status_chip import status_chip
from webui.components.time_bar import time_bars

NOW = 1_000_000.0


def run_of(status: RunStatus = RunStatus.RUNNING, name: str = "a run", **values: Any) -> Run:
    config = make_config({"model": "smollm2-135m", "recipe": "addition"})
    return replace(Run("abcd2345", name, status, config, NOW - 60, started_at=NOW - 50, step=10), **values)


@pytest.mark.parametrize("status", RunStatus)
def test_a_status_is_an_icon_and_a_word_and_a_colour(status: RunStatus) -> None:
    html = status_chip(status)
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


def test_the_table_of_runs_escapes_names_and_offers_stop_only_where_it_helps() -> None:
    rows = [run_of(name=HOSTILE), run_of(RunStatus.COMPLETED), run_of(RunStatus.STOPPING)]
    html = runs_table(rows, NOW, older="runs?before=1.5")
    assert "<script" not in html
    assert html.count('data-trigger="stop"') == 1
    assert 'href="run?id=abcd2345"' in html
    assert 'href="runs?before=1.5"' in html
    assert "data-trigger" not in runs_table(rows, NOW, may_stop=False)


def test_controls_name_what_they_do() -> None:
    assert "Stop after this step" in controls(run_of(), NOW, paused=False, may_stop=True)
    assert "Cancel run" in controls(run_of(RunStatus.QUEUED), NOW, paused=False, may_stop=True)
    assert "Stop" not in controls(run_of(), NOW, paused=False, may_stop=False)
    assert "Resume updates" in controls(run_of(), NOW, paused=True, may_stop=True)
    assert "Stop now" in controls(run_of(RunStatus.STOPPING), NOW, paused=False, may_stop=True)
    assert "Launch again" in controls(run_of(RunStatus.FAILED, step=0), NOW, paused=False, may_stop=True)
    assert "Resume" in controls(run_of(RunStatus.LOST, step=3), NOW, paused=False, may_stop=True)
    assert controls(run_of(RunStatus.FAILED), NOW, paused=False, may_stop=False) == ""
    done = controls(run_of(RunStatus.COMPLETED, step=40), NOW, paused=False, may_stop=True)
    assert "Clone with changes" in done
    assert "Resume" not in done


def test_the_headline_tells_progress_phase_and_time_left() -> None:
    steps = [replace(sampled(number, random.Random(1)), at=NOW + 4 * number) for number in range(1, 11)]
    html = headline(run_of(phase="generate", phase_started_at=NOW - 3), steps, NOW)
    assert "Step 10 of 40" in html
    assert "Sampling completions" in html
    assert "about 2 min 0 s left" in html
    assert "left" not in headline(run_of(RunStatus.COMPLETED), steps, NOW)


def test_panels_escape_what_they_are_given() -> None:
    config = make_config({"model": "smollm2-135m", "recipe": "addition", "dataset": HOSTILE})
    for html in (
        heading(run_of(name=HOSTILE)),
        log_panel(HOSTILE),
        events_panel([Event(NOW, "queued", HOSTILE, HOSTILE)]),
        config_panel(config),
        headline(run_of(phase=HOSTILE), [], NOW),
    ):
        assert "<script" not in html
        assert "<img" not in html


def test_the_step_picker_remembers_a_chosen_step_and_forgets_the_latest() -> None:
    assert "&quot;step&quot;: &quot;3&quot;" in step_picker(3, 9, follows=False)
    assert "&quot;step&quot;: null" in step_picker(9, 9, follows=True)
    assert "Step 3 of 9" in step_picker(3, 9, follows=False)
    assert step_picker(9, 9, follows=True).count("disabled") == 2
    assert "<button" not in step_picker(0, 0, follows=True)


def test_curves_have_the_mean_and_one_line_for_each_reward_function() -> None:
    steps = [sampled(number, random.Random(number)) for number in range(1, 4)]
    data = curves(steps)
    assert data["steps"] == [1, 2, 3]
    assert [line["name"] for line in data["series"]] == ["Reward", "correctness", "format"]
    assert "<table" in curves_table(steps)
    assert curves([])["steps"] == []
    assert curves_table([]) == ""


def test_long_runs_are_thinned_for_drawing_and_keep_their_ends() -> None:
    step = sampled(1, random.Random(0))
    numbers = curves([replace(step, number=number) for number in range(1, 12_346)])["steps"]
    assert len(numbers) <= POINTS + 1
    assert (numbers[0], numbers[-1]) == (1, 12_345)


def test_time_is_split_into_loading_and_training() -> None:
    steps = [sampled(number, random.Random(number)) for number in (1, 2)]
    html = time_bars([LoadPhase("engine", 12.0), LoadPhase("adapter", 0.5)], steps)
    assert "Loading" in html
    assert "Engine" in html
    assert "3.5 s a step" in html
    assert "first phase" in time_bars([], [])


def plan_of(capacity: int, fits: bool) -> Any:
    lines = [SimpleNamespace(name=name, bytes=GIB, formula=f"<{name}>") for name in COLOURS]
    phase = SimpleNamespace(name="training", lines=lines, total_bytes=GIB * len(lines))
    cache = SimpleNamespace(bytes=GIB, blocks=100, tokens=1600, full_length_sequences=5)
    setting = SimpleNamespace(completion_tokens=1024, prompt_tokens=256, completions_per_step=32)
    return SimpleNamespace(
        fits=fits,
        sentence="It <fits>.",
        capacity_bytes=capacity,
        advice=() if fits else ("Lower <rank> to 32.",),
        phases=(phase,),
        peak_bytes=phase.total_bytes,
        peak_phase="training",
        kv_cache=cache,
        setting=setting,
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
    assert "<li>Lower &lt;rank&gt; to 32.</li>" in html
    assert re.search(r'class="beyond" style="left:66.667%;width:33.333%"', html)


def test_every_line_of_a_plan_has_a_colour_of_its_own() -> None:
    assert tuple(COLOURS) == NAMES
    assert len(set(COLOURS.values())) == len(NAMES)


def test_segments_keep_the_order_of_the_plan() -> None:
    titles = re.findall(r'class="segment"[^>]*title="([^:]+):', budget_bar(plan_of(24 * GIB, fits=True), "GPU"))
    assert [title.lower() for title in titles] == [name.lower() for name in COLOURS]
