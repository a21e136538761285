"""Texts and HTML made from records: other people's text never becomes markup."""

import pytest

from core.records.run import Failure
from core.records.status import RunStatus
from webui import present

HOSTILE = "<img src=x onerror=alert(1)> \" ' & </pre><script>alert(1)</script>"


@pytest.mark.parametrize(
    "html",
    [
        present.folded(HOSTILE),
        present.folded(HOSTILE * 100),
        present.marked(HOSTILE),
        present.panel("error", HOSTILE, HOSTILE, details=HOSTILE),
        present.copyable(HOSTILE, HOSTILE),
        present.empty_state(HOSTILE, HOSTILE, HOSTILE, HOSTILE),
        present.failure_panel(Failure(HOSTILE, HOSTILE, HOSTILE, HOSTILE), RunStatus.FAILED),
        present.progress_bar(1, 2, HOSTILE),
    ],
)
def test_text_stays_text(html: str) -> None:
    assert "<img" not in html
    assert "<script" not in html
    assert "</pre><" not in html.replace("</pre></", "").replace("</pre><details", "").replace("</pre></details", "")
    assert "&lt;img src=x onerror=alert(1)&gt;" in html


def test_special_tokens_stay_visible_and_are_dimmed() -> None:
    html = present.marked("<|im_start|>user\nhi</s>")
    assert html == '<span class="special">&lt;|im_start|&gt;</span>user\nhi<span class="special">&lt;/s&gt;</span>'


def test_long_text_is_folded_with_its_count_and_nothing_is_lost() -> None:
    text = "".join(chr(0x4E00 + place) for place in range(2000))
    html = present.folded(text)
    assert "1\u202f300 more characters" in html
    assert all(character in html for character in text)


def test_short_text_is_not_folded() -> None:
    assert "<details" not in present.folded("a" * 800)
    assert "(empty)" in present.folded("")


def test_numbers() -> None:
    assert present.signed(-0.34) == "−0.34"
    assert present.signed(1) == "+1.00"
    assert present.reward(None) == "–"
    assert present.capitalised("kV cache") == "KV cache"


def test_a_clock_counts_from_the_servers_time() -> None:
    html = present.clock(100.0, 160.0, "ago")
    assert 'data-since="100.00"' in html
    assert 'data-now="160.00"' in html
    assert ">1 min ago</time>" in html


def test_progress_is_readable_without_seeing_it() -> None:
    html = present.progress_bar(5, 10, "Steps done")
    assert 'role="progressbar"' in html
    assert 'aria-valuenow="5"' in html
    assert "width:50.00%" in html
    assert "width:0.00%" in present.progress_bar(0, 0, "Steps done")


def test_a_run_that_did_not_fail_has_no_failure_panel() -> None:
    assert present.failure_panel(None, RunStatus.RUNNING) == ""
