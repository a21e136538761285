"""The pages there are: one list of their addresses, their titles, their places in the navigation, and what builds them.

A page is a module of `webui.pages` and one row here.
"""

from dataclasses import dataclass
from typing import Protocol

import gradio as gr

from webui.pages import (
    about,
    compare,
    completion,
    completions,
    doctor,
    evaluation,
    find,
    launch,
    new_task,
    prompt,
    replay,
    run,
    runs,
    task,
    tasks,
)
from webui.pages.frame import Link
from webui.services import Services
from webui.serving.first_paint import First


class PageModule(Protocol):
    """What a module of `webui.pages` has."""

    def build(self, app: gr.Blocks, services: Services) -> None:
        """Lays the page out inside `app` and registers its events. The navigation is there already."""


@dataclass(frozen=True)
class Page:
    """One page.

    title    in the browser's tab, and of the page's link in the navigation
    address  below the dashboard's own; "" is the page that one arrives at
    icon     lines of an SVG of 16 by 16. A page that has one has a link in the navigation, in the order of the list
    under    the title of the page whose link is marked as the current one here; "" for a page with a link of its own
    first    says what is sent inside the page's HTML; without it the page is filled once it has loaded
    """

    title: str
    address: str
    module: PageModule
    icon: str = ""
    under: str = ""
    first: First | None = None


PAGES: tuple[Page, ...] = (
    Page("Launch", "", launch, icon='<path d="M8 13V3M4 7l4-4 4 4"/>'),
    Page(
        "Tasks",
        "tasks",
        tasks,
        icon='<rect x="2.5" y="2.5" width="11" height="11" rx="1.5"/><path d="M5 8l2 2 4-4.5"/>',
    ),
    Page("Task", "task", task, under="Tasks"),
    Page("New task", "new-task", new_task, under="Tasks"),
    Page("Runs", "runs", runs, icon='<path d="M2.5 4h11M2.5 8h11M2.5 12h7"/>', first=runs.first),
    Page("Run", "run", run, under="Runs", first=run.first),
    Page(
        "Compare",
        "compare",
        compare,
        icon='<path d="M2 12c3 0 4-7 12-8"/><path d="M2 13c5 0 7-3 12-4"/>',
        first=compare.first,
    ),
    Page(
        "Completions",
        "completions",
        completions,
        icon='<path d="M2.5 3h11v7.5h-6L4 13.5v-3H2.5z"/><path d="M5 6h6M5 8h4"/>',
    ),
    Page("Find completions", "find", find, under="Completions"),
    Page("Completion", "completion", completion, under="Completions"),
    Page("Prompt", "prompt", prompt, under="Completions"),
    Page("Evaluation", "evaluation", evaluation, under="Completions"),
    Page("Replay", "replay", replay, under="Completions"),
    Page("Doctor", "doctor", doctor, icon='<path d="M1.5 8h3l2-5 3 10 2-5h3"/>'),
    Page("About", "about", about, icon='<circle cx="8" cy="8" r="6"/><path d="M8 7.5v3.5M8 5v.2"/>'),
)


def links(current: Page) -> list[Link]:
    """The navigation as it is drawn on a page."""
    marked = current.under or current.title
    return [Link(page.title, page.address or "./", page.icon, page.title == marked) for page in PAGES if page.icon]
