"""The doctor's findings: a row a check, what is installed, and what is known to go wrong."""

from collections.abc import Mapping, Sequence

from core.insights.known_failures import KnownFailure
from core.jobs.doctor import Check
from core.units import duration
from webui.present import esc, sentence

# State -> (word, the status whose colour and icon it shares, icon)
STATES = {
    "ok": ("Works", "completed", '<path d="M3 8.5l3.5 3.5L13 4.5"/>'),
    "warning": ("Warning", "stopping", '<path d="M8 2.5l6 11H2z"/><path d="M8 7v3M8 11.8v.2"/>'),
    "failed": ("Failed", "failed", '<path d="M4 4l8 8M12 4l-8 8"/>'),
    "running": ("Checking", "starting", '<path d="M8 2a6 6 0 1 1-6 6"/>'),
    "skipped": ("Not tried", "cancelled", '<path d="M4 8h8"/>'),
}


def checks_view(checks: Sequence[Check], verdict: str) -> str:
    """The verdict in a sentence, then every check with its state, finding, time and remedy."""
    rows = "".join(_row(check) for check in checks)
    return (
        f'<section class="card" aria-label="Checks"><p class="verdict" role="status" lang="en">{esc(verdict)}</p>'
        f'<ul class="checks">{rows}</ul></section>'
    )


def versions_table(versions: Mapping[str, str]) -> str:
    rows = "".join(
        f'<tr><th scope="row" translate="no">{esc(name)}</th><td class="mono">{esc(version)}</td></tr>'
        for name, version in versions.items()
    )
    return f'<table class="table"><tbody>{rows}</tbody></table>'


def known_failures_view(failures: Sequence[KnownFailure]) -> str:
    """Every known failure, folded, the classic ones first and open."""
    ordered = sorted(failures, key=lambda known: not known.classic)
    return "".join(
        f'<details class="fold" data-key="trouble-{esc(known.kind)}"{" open" if known.classic else ""}>'
        f"<summary lang=en>{esc(known.title)}</summary>"
        f'<div class="trouble"><p>{sentence(known.cause)}</p>'
        f"<p><b>What to do.</b> {sentence(known.general)}</p></div></details>"
        for known in ordered
    )


def _row(check: Check) -> str:
    word, tone, icon = STATES[check.state]
    seconds = f'<span class="soft number">{duration(check.seconds)}</span>' if check.seconds >= 0.1 else ""
    remedy = f'<p class="remedy">{sentence(check.remedy)}</p>' if check.remedy and check.state != "ok" else ""
    return (
        f'<li data-key="check-{esc(check.name)}"><span class="chip {tone}"><svg viewBox="0 0 16 16" aria-hidden="true" '
        'fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round">'
        f"{icon}</svg>{word}</span><div><b lang=en>{esc(check.name[:1].upper() + check.name[1:])}</b>"
        f"<p>{sentence(check.message)}</p>{remedy}</div>{seconds}</li>"
    )
