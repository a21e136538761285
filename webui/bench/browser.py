"""How long a reader waits in a real browser until a page shows what they came for.

A first visit has nothing of ours in the browser; a later one has what the visit before left there. Needs playwright
and a Chromium, which belong to the test dependencies; without them it says so and measures nothing.
"""

import shutil
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from core.errors import GrouperError
from webui.bench.serving import bare_page, dashboard
from webui.upstream.gradio import ELEMENT

# Page -> what counts as its content, and the milliseconds it may take.
CONTENT = {
    "bare": ("#there", 0),
    "runs": ("table.runs tbody tr", 1000),
    "run": ("#headline .figures", 1000),
    "compare": ("#charts .chart:nth-child(6) canvas", 1500),  # the last one on the first screen
    "completions": (".group-row", 1000),
}
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ROUNDS, LATER = 5, 2  # first visits of a page, and later ones after each
# From the start of the navigation: the first frame in which the content is there and has a size, then the first in
# which the page answers, that is when Gradio's own components stand. And how far things moved meanwhile.
WATCH = """selector => new Promise(done => {
  let content = 0, shift = 0;
  new PerformanceObserver(list => list.getEntries().forEach(each => shift += each.hadRecentInput ? 0 : each.value))
    .observe({type: "layout-shift", buffered: true});
  const look = () => {
    if (!content && document.querySelector(selector)?.getBoundingClientRect().height) content = performance.now();
    const stands = document.querySelector(`GRADIO :is(${selector})`)?.getBoundingClientRect().height;
    content && stands ? done({content, ready: performance.now(), shift}) : requestAnimationFrame(look);
  };
  setTimeout(() => done(null), 30000);
  look();
})""".replace("GRADIO", ELEMENT)


def browser_times(folder: Path, ids: Sequence[str]) -> dict[str, Any]:
    """`first_content` of the dashboard's pages; `bare` is an empty page of Gradio's, measured in turn with ours."""
    with dashboard(folder) as (address, _), bare_page(folder) as bare:
        return first_content(
            {
                "bare": bare,
                "runs": f"{address}/runs",
                "run": f"{address}/run?id={ids[0]}",
                "compare": f"{address}/compare?runs={','.join(ids)}",
                "completions": f"{address}/completions?run={ids[0]}",
            }
        )


def first_content(pages: Mapping[str, str]) -> dict[str, Any]:
    """{page: {first_ms, again_ms, target_ms, ...}} of these addresses, named as in CONTENT and visited in turn."""
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        return {"not_measured": "playwright is not installed; `make test` installs it"}
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=_chromium(), args=["--no-sandbox", "--disable-gpu"])
        except Error as error:
            return {"not_measured": f"no browser could be started: {str(error).splitlines()[0]}"}
        seen: dict[str, list[list[dict[str, float]]]] = {name: [] for name in pages}
        for _ in range(ROUNDS):
            for name, url in pages.items():
                seen[name].append(_visits(browser, url, CONTENT[name][0]))
        browser.close()
    return {name: _summed(rounds, CONTENT[name][1]) for name, rounds in seen.items()}


def _visits(browser: Any, url: str, selector: str) -> list[dict[str, float]]:
    """A first visit and LATER more, in a browser that knows nothing before."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    tab = context.new_page()
    taken = []
    for _ in range(1 + LATER):
        tab.goto(url, wait_until="commit")
        found = tab.evaluate(WATCH, selector)
        if found is None:
            raise GrouperError(f"{url} shows no {selector} within half a minute.")
        taken.append(found)
    context.close()
    return taken


def _summed(rounds: Sequence[Sequence[dict[str, float]]], target: int) -> dict[str, Any]:
    """Medians. `first_ms` and `again_ms`: the content can be read; `..._ready_ms`: and the page answers."""
    first, again = [visits[0] for visits in rounds], [visit for visits in rounds for visit in visits[1:]]

    def median(visits: Sequence[dict[str, float]], what: str) -> float:
        return statistics.median(visit[what] for visit in visits)

    found = {
        "first_ms": round(median(first, "content")),
        "first_ready_ms": round(median(first, "ready")),
        "again_ms": round(median(again, "content")),
        "again_ready_ms": round(median(again, "ready")),
        "layout_shift": round(max(visit["shift"] for visit in (*first, *again)), 3),
    }
    return {**found, "target_ms": target} if target else found


def _chromium() -> str | None:
    return next(filter(None, map(shutil.which, BROWSERS)), None)
