"""How long a reader waits in a real browser until a page shows what they came for.

Needs playwright and a Chromium, which belong to the test dependencies; without them it says so and measures nothing.
"""

import shutil
import statistics
from typing import Any

# Page -> what counts as its content, and the milliseconds it may take.
CONTENT = {
    "runs": ("table.runs tbody tr", 1000),
    "run": ("#headline .figures", 1000),
    "compare": ("#charts canvas", 1500),
    "completions": (".group-row", 1000),
}
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
VISITS = 5
# Counts from the start of the navigation to the first frame in which the content is there and has a size.
WATCH = """selector => new Promise(done => {
  const look = () => document.querySelector(selector)?.getBoundingClientRect().height
    ? done(performance.now()) : requestAnimationFrame(look);
  look();
})"""


def first_content(address: str, pages: dict[str, str]) -> dict[str, Any]:
    """{page: {first_ms, again_ms, target_ms}}: with nothing kept in the browser, and on later visits (the median).

    `pages` are the addresses of the pages in CONTENT, below `address`.
    """
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        return {"not_measured": "playwright is not installed; `make test` installs it"}
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=_chromium(), args=["--no-sandbox", "--disable-gpu"])
        except Error as error:
            return {"not_measured": f"no browser could be started: {str(error).splitlines()[0]}"}
        found = {name: _visits(browser, f"{address}/{path}", *CONTENT[name]) for name, path in pages.items()}
        browser.close()
    return found


def _visits(browser: Any, url: str, selector: str, target: int) -> dict[str, float]:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    tab = context.new_page()
    taken = []
    for _ in range(VISITS + 1):
        tab.goto(url, wait_until="commit")
        taken.append(tab.evaluate(WATCH, selector))
    context.close()
    return {"first_ms": round(taken[0]), "again_ms": round(statistics.median(taken[1:])), "target_ms": target}


def _chromium() -> str | None:
    return next(filter(None, map(shutil.which, BROWSERS)), None)
