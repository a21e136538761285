"""What every page has around it: the navigation, the title line and the answer to errors."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import gradio as gr

from core.errors import GrouperError
from webui.components.live import live, still
from webui.present import esc, panel, skeleton

log = logging.getLogger(__name__)
Given = ParamSpec("Given")
Answer = TypeVar("Answer")

# How a handler of ours is registered: no spinner over what it redraws, as many viewers at once as there are, and not
# offered as an API. Handlers check what they are given all the same.
QUIET: dict[str, Any] = {"show_progress": "hidden", "concurrency_limit": None, "api_visibility": "private"}
TICK = QUIET | {"queue": False}  # what a page asks for by itself, when the change token is another one

MARK = (
    '<svg class="mark" viewBox="0 0 24 24" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="2.2" '
    'stroke-linecap="round"><path d="M4 19c5 0 6-11 16-14"/><path d="M4 19c6 0 8-5 16-6" opacity=".6"/>'
    '<path d="M4 19h16" opacity=".35"/></svg>'
)

MOON = (
    '<svg viewBox="0 0 16 16" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="1.6" '
    'stroke-linejoin="round"><path d="M13 9.5A5.5 5.5 0 0 1 6.5 3a5.5 5.5 0 1 0 6.5 6.5z"/></svg>'
)


@dataclass(frozen=True)
class Link:
    """A page's place in the navigation; `icon` is lines of an SVG of 16 by 16."""

    name: str
    href: str
    icon: str
    current: bool


def frame(links: Sequence[Link]) -> None:
    """The navigation: at the left, or a bar on a phone. Gradio's own is hidden by frame.css."""
    listed = "".join(
        f'<a href="{link.href}"{" aria-current=page" if link.current else ""}>'
        '<svg viewBox="0 0 16 16" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="1.6" '
        f'stroke-linecap="round" stroke-linejoin="round">{link.icon}</svg><span>{link.name}</span></a>'
        for link in links
    )
    still(
        f'<nav class="side" aria-label="Main"><a class="brand" href="./">{MARK}<span translate="no">Grouper</span></a>'
        f'{listed}<button type="button" data-theme-switch aria-label="Light or dark">{MOON}</button></nav>',
        elem_id="side",
    )
    still('<div class="unreachable" role="status">The dashboard does not answer. Trying again.</div>')


def page_body() -> gr.Column:
    return gr.Column(elem_classes="page")


def chart_beside(heading: str) -> tuple[gr.HTML, gr.HTML]:
    """Two cards next to each other: a small chart under its heading, and the panel that goes with it."""
    with gr.Row(elem_classes="split"):
        with gr.Column(elem_classes="card", scale=6, min_width=320):
            still(f"<h2>{esc(heading)}</h2>")
            chart = live(skeleton(6), elem_id="chart")
        with gr.Column(elem_classes="card", scale=6, min_width=320):
            return chart, live(skeleton(6), elem_id="figures")


def title(text: str, note: str = "") -> str:
    return f'<div class="title"><h1>{esc(text)}</h1>{f"<p>{esc(note)}</p>" if note else ""}</div>'


def error_panel(error: Exception, doing: str) -> str:
    """An error in its place: the sentence of one raised on purpose; of any other the kind, and the rest in the log."""
    if isinstance(error, GrouperError):
        return panel("error", doing, str(error))
    log.error("%s", doing, exc_info=error)
    return panel(
        "error",
        doing,
        "Something unexpected went wrong. The dashboard's log says more.",
        details=f"{type(error).__name__}: {error}",
    )


def attempt(work: Callable[[], Answer], instead: Callable[[Exception], Answer]) -> Answer:
    """What `work` gives, or what `instead` makes of the error, of whatever kind: a page always has an answer."""
    try:
        return work()
    except Exception as error:
        return instead(error)


def or_else(instead: Callable[[Exception], Answer]) -> Callable[[Callable[Given, Answer]], Callable[Given, Answer]]:
    """A handler that answers with `instead` when it cannot do what it is for."""

    def decorate(handler: Callable[Given, Answer]) -> Callable[Given, Answer]:
        @wraps(handler)
        def guarded(*given: Given.args, **named: Given.kwargs) -> Answer:
            return attempt(lambda: handler(*given, **named), instead)

        return guarded

    return decorate


def refusal(doing: str, work: Callable[[], object]) -> str:
    """Does it. Nothing when it is done; when it could not be, the panel that says so and why."""

    @or_else(lambda error: error_panel(error, doing))
    def done() -> str:
        work()
        return ""

    return done()


def prints(values: Mapping[str, str], *without: str) -> dict[str, int]:
    """A fingerprint of each panel's value: a tab is sent a panel again only when it is another one."""
    return {name: hash(value) for name, value in values.items() if name not in without}


def pulse(token: str, run_id: str = "", beats: bool = True) -> str:
    """What a page listens with: the token it was made at, and where to ask for the one of now. See
    `webui.live_cache`.
    """
    source = f"changes?run={esc(run_id)}" if run_id else "changes"
    return f'<span hidden data-pulse="{esc(token)}" data-from="{source if beats else ""}"></span>'
