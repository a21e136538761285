"""Pictures of every page, empty, busy, failed and full, on a desktop and a phone, light and dark: `make screenshots`.

    python tools/screenshots.py [FOLDER [STATE]...]     build/screenshots and every state when none is named

The runs in them are made up. Says what is wider than its screen or cut off, and ends with 1 when anything is.
"""

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "webui")]

from dashboard_support import browsing, serving  # noqa: E402
from samples import STEPS, add_run, add_tokenizer, answers, end_run, spoken  # noqa: E402

from core.records.run import Failure  # noqa: E402
from core.records.status import RunStatus  # noqa: E402
from core.settings import load_settings  # noqa: E402
from core.store import Database, open_database  # noqa: E402
from core.store.rollouts import feedback  # noqa: E402
from core.store.rollouts.evaluation import record_answers  # noqa: E402
from core.store.rollouts.record import record_step  # noqa: E402
from core.store.runs import lifecycle, notes  # noqa: E402
from core.store.search.filter import CompletionFilter  # noqa: E402
from core.store.search.query import list_completions  # noqa: E402

ANSWER = "There are 3 boxes with 4 apples each.\nThree times four is 12.\n<answer>12</answer>"
SIZES = {"desktop": (1440, 900), "phone": (390, 844)}
STATES = ("empty", "busy", "failed", "full")
CHECKS_MS = 4000  # until the doctor is at the checks that take their time
CHECKED_MS = 300_000  # and until it must be done with all of them
SETTLED_MS = 900  # after the last panel came: curves are drawn, transitions are over
FAILURE = Failure(
    "out-of-memory",
    "The GPU ran out of memory while updating the adapter.",
    "Lower per_device_train_batch_size to 8.",
    "Traceback: torch.OutOfMemoryError",
)
SETTLED = """() => document.querySelector("h1, .empty")
  && ![...document.querySelectorAll(".skeleton")].some(node => node.offsetParent)"""
# Text that does not fit its box and does not say so, and anything that makes the page wider than the screen.
LOOK = """() => {
  const found = [];
  if (document.documentElement.scrollWidth > innerWidth) found.push("the page is wider than its screen");
  for (const node of document.querySelectorAll(".page *, .side *")) {
    const style = getComputedStyle(node);
    if (!node.clientWidth || !node.innerText) continue;
    if (style.overflowX !== "hidden" || style.textOverflow === "ellipsis") continue;
    if (node.matches(".unseen, .segment, .side span") || node.closest(".segment, svg, .unseen")) continue;
    if (node.scrollWidth > node.clientWidth + 2) found.push(`cut: ${node.className} "${node.innerText.slice(0, 40)}"`);
  }
  return found;
}"""


def empty(database: Database) -> dict[str, str]:
    return {
        "launch": "",
        "runs": "runs",
        "run": "run?id=nobody",
        "compare": "compare",
        "doctor": "doctor",
        "about": "about",
        "completions": "completions",
        "find": "find",
        "flagged": "find?flagged=1",
        "replay": "replay",
        "completion": "completion?id=1",
        "prompt": "prompt?id=1",
    }


def busy(database: Database) -> dict[str, str]:
    other = add_run(database, "earlier run", 20, steps=20)
    end_run(database, other, RunStatus.COMPLETED)
    running = add_run(database, "running run", 23)
    with database.writing() as connection:
        lifecycle.enqueue(connection, running.config, "waiting run")
    pages = {"launch": "", "runs": "runs", "run": f"run?id={running.id}", "doctor-checking": "doctor"}
    pages |= {"completions": f"completions?run={running.id}", "replay": f"replay?run={running.id}"}
    return {**pages, "compare": f"compare?runs={running.id},{other.id}"}


def failed(database: Database) -> dict[str, str]:
    run = add_run(database, "failed run", 3, rank=16)
    end_run(database, run, RunStatus.FAILED, FAILURE)
    lost = add_run(database, "lost run", 0)
    end_run(database, lost, RunStatus.LOST, Failure("worker-lost", "The worker is gone.", "Resume the run."))
    pages = {"launch": "?like=nobody", "runs": "runs", "run": f"run?id={run.id}"}
    pages |= {"completions": f"completions?run={lost.id}", "completions-unknown": "completions?run=nobody"}
    pages |= {"find": f"find?run={run.id}&min_reward=lots", "find-nothing": f"find?run={run.id}&search=nothing"}
    pages |= {"replay": f"replay?run={run.id}&weight:correctness=much"}
    return {**pages, "compare": f"compare?runs={run.id},{lost.id}"}


def full(database: Database) -> dict[str, str]:
    runs = [
        add_run(database, f"sweep {place} with a name that says what was changed", STEPS, rank=(16, 32, 64)[place % 3])
        for place in range(6)
    ]
    for place, run in enumerate(runs):
        end_run(database, run, RunStatus.COMPLETED)
        with database.writing() as connection:
            notes.tag(connection, run.id, add=["baseline", "rank sweep"][: 1 + place % 2])
            notes.write_notes(connection, run.id, "Rises later than rank 16, and ends higher.")
    with database.writing() as connection:
        for place in range(60):
            waiting = lifecycle.enqueue(connection, runs[0].config, f"older run {place}")
            lifecycle.move(connection, waiting.id, RunStatus.CANCELLED)
    chosen = ",".join(run.id for run in runs)
    pages = {"launch": f"?like={runs[0].id}", "runs": "runs?sort=-reward", "run": f"run?id={runs[0].id}"}
    pages |= {"compare": f"compare?runs={chosen}", **read(database, runs[0].id)}
    return {**pages, "about": "about", "doctor-checking": "doctor", "doctor-checked": ""}


def read(database: Database, run_id: str) -> dict[str, str]:
    """The pages about completions of a run that has many, and of one whose tokens were measured."""
    said = add_run(database, "measured tokens", 0, steps=2)
    with database.writing() as connection:
        for number, text in enumerate((ANSWER, ANSWER.replace("12", "thirteen")), start=1):
            record_step(connection, said.id, spoken(number, text))
    end_run(database, said, RunStatus.COMPLETED)
    with database.writing() as connection:
        record_answers(connection, run_id, [*answers("Three.", 2), *answers("Eight.", 40)])
        oldest = CompletionFilter(sort="oldest", limit=1)
        (first,), _ = list_completions(connection, run_id, oldest)
        (token,), _ = list_completions(connection, said.id, oldest)
        feedback.flag(connection, first.id, True)
        feedback.set_tags(connection, first.id, ["look again", "odd"])
        feedback.write_note(connection, first.id, "The check may be wrong here.")
    return {
        "completions": f"completions?run={run_id}&step=3",
        "completions-group": f"completions?run={run_id}&step=3&group=2",
        "find": f"find?run={run_id}&search=And&last_step=20",
        "find-evidence": f"find?run={run_id}&evidence=short",
        "flagged": "find?flagged=1",
        "completion": f"completion?id={first.id}",
        "completion-tokens": f"completion?id={token.id}&measure=difference",
        "prompt": f"prompt?id={first.id}&a={first.id}",
        "evaluation": f"evaluation?run={run_id}",
        "replay": f"replay?run={run_id}&weight:correctness=0.5&function:format=tags",
    }


def main() -> int:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build" / "screenshots"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    problems: list[str] = []
    with browsing(chromium) as browser:
        for state in (each for each in (empty, busy, failed, full) if each.__name__ in (sys.argv[2:] or STATES)):
            with tempfile.TemporaryDirectory() as home:
                database = open_database(load_settings({"GROUPER_HOME": home}).database_url)
                add_tokenizer(Path(home))
                pages = state(database)
                database.close()
                with serving(Path(home)) as address:
                    problems += [
                        f"{state.__name__}: {problem}" for problem in picture(browser, address, pages, state, folder)
                    ]
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"{len(list(folder.iterdir()))} pictures in {folder}", file=sys.stderr)
    return 1 if problems else 0


def picture(browser: Any, address: str, pages: dict[str, str], state: Any, folder: Path) -> list[str]:
    """Every page of one state in both sizes and both colours; what is wrong with them."""
    problems: list[str] = []
    for size, (width, height) in SIZES.items():
        tab = browser.new_page(viewport={"width": width, "height": height}, color_scheme="light")
        tab.on("pageerror", lambda error, seen=problems: seen.append(f"a script failed: {error}"))
        for name, path in pages.items():
            if name == "doctor-checked":  # the page on which the checks were begun, when it is done with them
                tab.wait_for_function("() => !document.querySelector('#examine').disabled", timeout=CHECKED_MS)
            else:
                tab.goto(f"{address}/{path}")
                tab.wait_for_function(SETTLED)
            if name == "doctor-checking":
                tab.click("#examine")
                tab.wait_for_timeout(CHECKS_MS)
            tab.wait_for_timeout(SETTLED_MS)
            problems += [f"{name} on a {size}: {found}" for found in tab.evaluate(LOOK)]
            for colours in ("light", "dark"):
                tab.evaluate("dark => document.body.classList.toggle('dark', dark)", colours == "dark")
                tab.wait_for_timeout(250)
                tab.screenshot(path=folder / f"{name}-{state.__name__}-{size}-{colours}.png", full_page=True)
        tab.close()
    return problems


if __name__ == "__main__":
    sys.exit(main())
