"""A page of runs as a table that becomes cards on a phone, and the bars to narrow it and to act on ticked rows."""

import json
from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from core.records.run import Run
from core.records.status import RunStatus
from core.store.runs.table import RunFilter, RunPage, RunRow
from core.units import duration, plural, thin
from webui.components.charts import run_colour
from webui.components.sparkline import sparkline
from webui.components.status_chip import run_chip
from webui.present import NOTHING, capitalised, clock, esc, own, progress_bar, reward

# Head -> what it sorts by, "" where a column cannot be sorted.
HEADS: Mapping[str, str] = {
    "State": "state",
    "Run": "name",
    "Model": "model",
    "Recipe": "recipe",
    "Rank": "rank",
    "Progress": "progress",
    "Reward": "reward",
    "Tokens/s": "",
    "Started": "started",
}
NUMBERS = {"Rank", "Reward", "Tokens/s"}
FALLING = {"reward", "rank", "progress", "started"}  # the largest is what people look for first
ADDRESS = ("search", "state", "model", "recipe", "tag", "archived", "sort", "page")


def address(wanted: RunFilter, **changes: object) -> str:
    """The link that brings this view of the table back."""
    query = urlencode({name: value for name, value in _query({**vars(wanted), **changes}).items() if value is not None})
    return f"runs?{query}" if query else "runs"


def filter_bar(wanted: RunFilter, facets: Mapping[str, Sequence[tuple[str, int]]]) -> str:
    """Search and the values there are to narrow by. The address follows what is chosen."""
    states = [("active", "At work"), *((name, f"{capitalised(name)} ({count})") for name, count in facets["state"])]
    selects = _select("state", "State", wanted.state, states)
    for name in ("model", "recipe", "tag"):
        values = [(value, f"{value.rstrip('/').rsplit('/', 1)[-1]} ({count})") for value, count in facets[name]]
        selects += _select(name, capitalised(name), getattr(wanted, name), values)
    query = esc(json.dumps(_query(vars(wanted))))
    archived = " checked" if wanted.archived else ""
    return (
        f'<div class="filters" role="search" aria-label="Runs" data-query="{query}">'
        f'<input type="search" data-field="search" value="{esc(wanted.search)}" placeholder="Search name, tag, note" '
        f'aria-label="Search runs">{selects}'
        f'<label class="tick"><input type="checkbox" data-field="archived"{archived}>Archive</label></div>'
    )


def runs_table(page: RunPage, wanted: RunFilter, now: float, may_change: bool = True) -> str:
    """The rows, the bar that acts on ticked ones, and the way to other pages."""
    if not page.rows:
        return (
            '<section class="empty small"><h2>No runs match</h2><p>Search for less, or look in the archive.</p>'
            '<a class="small-button" href="runs" data-trigger="input" data-id="clear">See all runs</a></section>'
        )
    heads = "".join(_head(head, key, wanted.sort) for head, key in HEADS.items())
    tick = '<th scope="col" class="pick"><input type="checkbox" data-pick="*" aria-label="Select all runs here"></th>'
    rows = "".join(_row(row, now, may_change) for row in page.rows)
    bar = _bulk_bar(wanted.archived) if may_change else ""
    return (
        f'{bar}<table class="table runs"><thead><tr>{tick}{heads}<th scope="col"><span class="unseen">Actions</span>'
        f"</th></tr></thead><tbody>{rows}</tbody></table>{_pages(page, wanted)}"
    )


def stop_word(run: Run, stop: str = "Stop", cancel: str = "Cancel") -> str:
    """What ending this run is called; nothing for one that has ended or is about to."""
    if run.status.is_final or run.status is RunStatus.STOPPING:
        return ""
    return cancel if run.status is RunStatus.QUEUED else stop


def _stop_button(run: Run) -> str:
    word = stop_word(run)
    if not word:
        return ""
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


def tag_chips(run: Run) -> str:
    return "".join(f'<span class="tag" translate="no">{esc(word)}</span>' for word in run.tags)


def _row(row: RunRow, now: float, may_change: bool) -> str:
    run = row.run
    dot = f'<i class="dot" style="background:var({run_colour(run.id)})"></i>'
    cells = (
        run_chip(run),
        f'{dot}<a href="run?id={esc(run.id)}">{own(run.name)}</a> {tag_chips(run)}',
        *_planned(row),
        f"{sparkline(row.curve, run.id)}<span>{NOTHING if run.reward is None else reward(run.reward)}</span>",
        NOTHING if row.tokens_per_second is None else thin(round(row.tokens_per_second)),
        clock(run.started_at or run.created_at, now, "ago"),
    )
    body = "".join(
        f'<td data-head="{head}" data-head-said="{head}"{_number(head)}>{cell}</td>'
        for head, cell in zip(HEADS, cells, strict=True)
    )
    buttons = f"{next_button(run)} {_stop_button(run)}".strip() if may_change else ""
    tick = f'<input type="checkbox" data-pick="{esc(run.id)}" aria-label="Select {esc(run.name)}">'
    return f'<tr data-key="{esc(run.id)}"><td class="pick">{tick}</td>{body}<td class="buttons">{buttons}</td></tr>'


def _planned(row: RunRow) -> tuple[str, str, str, str]:
    """(model, recipe, rank, progress)."""
    run = row.run
    if run.unreadable:
        return NOTHING, NOTHING, NOTHING, f'<span class="steps"><span class="count">{run.step} / ?</span></span>'
    left = f'<span class="count">{duration(row.seconds_left)} left</span>' if row.seconds_left is not None else ""
    return (
        own(run.config.model.rstrip("/").rsplit("/", 1)[-1]),
        own(run.config.recipe),
        str(run.config.rank),
        f'<span class="steps"><span class="count">{run.step} / {run.config.steps}</span>{left}</span>'
        + progress_bar(run.step, run.config.steps, f"Progress of {run.name}"),
    )


def _head(head: str, key: str, sort: str) -> str:
    if not key:
        return f'<th scope="col"{_number(head)}>{head}</th>'
    now = sort.lstrip("-") == key
    falling = not sort.startswith("-") if now else key in FALLING
    order = f' aria-sort="{"descending" if sort.startswith("-") else "ascending"}"' if now else ""
    arrow = (" ↓" if sort.startswith("-") else " ↑") if now else ""
    return (
        f'<th scope="col"{_number(head)}{order}><button type="button" class="sort" data-trigger="input" '
        f'data-id="sort:{"-" if falling else ""}{key}">{head}{arrow}</button></th>'
    )


def _bulk_bar(archived: bool) -> str:
    """Acts on the ticked runs; the browser shows it while there are any."""

    def button(action: str, word: str, more: str = "") -> str:
        return (
            f'<button type="button" class="small-button" data-trigger="apply" data-id="{action}" data-picked{more}>'
            f"{word}</button>"
        )

    question = "Delete {n} runs with their completions, adapters and logs? This cannot be undone."
    tags = (
        '<span data-form class="inline-form"><input name="tag" aria-label="Tag" placeholder="tag" maxlength="40">'
        f"{button('tag', 'Add tag')}{button('untag', 'Remove tag')}</span>"
    )
    archive = button("restore", "Restore", " data-drops") if archived else button("archive", "Archive", " data-drops")
    delete = button("delete", "Delete", f' data-confirm="{question}" data-drops')
    compare = '<a class="small-button" data-compare href="compare">Compare</a>'
    return (
        '<div class="bulk" data-bulk role="toolbar" aria-label="Selected runs" inert><b data-count role="status"></b>'
        f"{compare}{button('stop', 'Stop')}{tags}{archive}{delete}</div>"
    )


def _pages(page: RunPage, wanted: RunFilter) -> str:
    count = plural(page.total, "run")
    if page.pages == 1:
        return f'<nav class="pages" aria-label="Pages of runs"><span class="count">{count}</span></nav>'

    def link(to: int, word: str) -> str:
        if not 1 <= to <= page.pages:
            return f'<span class="small-button off" aria-disabled="true">{word}</span>'
        target = esc(address(wanted, page=to))
        return f'<a class="small-button" href="{target}" data-trigger="input" data-id="page:{to}">{word}</a>'

    where = f"Page {page.page} of {page.pages} · {count}"
    return (
        f'<nav class="pages" aria-label="Pages of runs"><span class="count">{where}</span>'
        f"{link(page.page - 1, 'Previous')}{link(page.page + 1, 'Next')}</nav>"
    )


def _select(name: str, label: str, chosen: str, values: Sequence[tuple[str, str]]) -> str:
    if chosen and chosen not in dict(values):
        values = [*values, (chosen, chosen)]
    kept = "" if name == "state" else ' translate="no"'
    options = "".join(
        f'<option value="{esc(value)}"{" selected" if value == chosen else ""}{kept}>{esc(shown)}</option>'
        for value, shown in values
    )
    return f'<select data-field="{name}" aria-label="{label}"><option value="">{label}: any</option>{options}</select>'


def _query(values: Mapping[str, object]) -> dict[str, str | None]:
    """The filter as query parameters; None for what is as it always is."""
    plain = vars(RunFilter())
    return {
        name: None if values[name] == plain[name] else "1" if values[name] is True else str(values[name])
        for name in ADDRESS
    }


def _number(head: str) -> str:
    return ' class="number"' if head in NUMBERS else ""
