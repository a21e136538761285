"""A page of runs as a table that becomes cards on a phone."""

from collections.abc import Sequence

from core.runs import Run, RunStatus
from core.units import thin
from webui.components.status_chip import status_chip
from webui.present import NOTHING, clock, esc, progress_bar, reward

HEADS = ("Status", "Run", "Model", "Recipe", "Rank", "Progress", "Reward", "Tokens", "Started", "")
NUMBERS = {"Rank", "Reward", "Tokens"}


def runs_table(runs: Sequence[Run], now: float, older: str = "", newest: str = "", may_stop: bool = True) -> str:
    """`older` and `newest` are addresses of other pages of the table; without one there is no such link."""
    heads = "".join(
        f'<th scope="col"{_number(head)}>{head or "<span class=unseen>Actions</span>"}</th>' for head in HEADS
    )
    rows = "".join(_row(run, now, may_stop) for run in runs)
    return (
        f'<table class="table runs"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>'
        '<nav class="pages" aria-label="Pages of runs">'
        f"{_link(newest, 'Newest runs')}{_link(older, 'Older runs')}</nav>"
    )


def stop_button(run: Run, stop: str = "Stop", cancel: str = "Cancel") -> str:
    """A button for a run that can still be ended."""
    if run.status.is_final or run.status is RunStatus.STOPPING:
        return ""
    word = cancel if run.status is RunStatus.QUEUED else stop
    return (
        f'<button type="button" class="small-button" data-trigger="stop" data-id="{esc(run.id)}" '
        f'aria-label="{word}: {esc(run.name)}">{word}</button>'
    )


def next_button(run: Run) -> str:
    """Puts a waiting run before the others."""
    if run.status is not RunStatus.QUEUED:
        return ""
    return (
        f'<button type="button" class="small-button" data-trigger="select" data-id="{esc(run.id)}" '
        f'aria-label="Run next: {esc(run.name)}">Run next</button>'
    )


def _row(run: Run, now: float, may_stop: bool) -> str:
    cells = (
        status_chip(run.status),
        f'<a href="run?id={esc(run.id)}">{esc(run.name)}</a>',
        esc(run.config.model.rstrip("/").rsplit("/", 1)[-1]),
        esc(run.config.recipe),
        str(run.config.rank),
        f'<span class="count">{run.step} / {run.config.steps}</span>'
        + progress_bar(run.step, run.config.steps, f"Progress of {run.name}"),
        NOTHING if run.reward is None else reward(run.reward),
        thin(run.tokens) if run.tokens else NOTHING,
        clock(run.started_at or run.created_at, now, "ago"),
        f"{next_button(run)} {stop_button(run)}".strip() if may_stop else "",
    )
    body = "".join(
        f'<td data-head="{head}"{_number(head)}>{cell}</td>' for head, cell in zip(HEADS, cells, strict=True)
    )
    return f'<tr data-key="{esc(run.id)}">{body}</tr>'


def _number(head: str) -> str:
    return ' class="number"' if head in NUMBERS else ""


def _link(href: str, text: str) -> str:
    return f'<a class="small-button" href="{esc(href)}">{text}</a>' if href else ""
