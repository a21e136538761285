"""docs/extending.md is followed to the letter in a copy of the tree, and what it adds is there.

A line `**`path`**` names the file of the block after it. A `diff` block is applied hunk by hunk, `@@` between them: the
lines with " " and "-" must stand in the file once, in a row, and become those with " " and "+". A hunk of "+" lines
alone goes to the end. Any other block is a new file.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from dashboard_support import browsing, serving
from playwright.sync_api import expect
from tests_support import a_step

from core.config import make_config
from core.processes import identify
from core.settings import PROJECT, load_settings
from core.store import open_database
from core.store.rollouts.record import record_step
from core.store.runs import lifecycle

pytestmark = pytest.mark.tree
DOCUMENT = (PROJECT / "docs" / "extending.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^\*\*`([^`\n]+)`\*\*\n\n```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NOT_SOURCE = shutil.ignore_patterns(".*", "__pycache__", "build", "state", "*.egg-info")
NOT_RUN = ("make ", "grouper launch ")  # these take minutes, or have a test of their own


class Block(NamedTuple):
    path: str
    language: str
    text: str


BLOCKS = [Block(*found) for found in BLOCK.findall(DOCUMENT)]
COMMANDS = [
    line
    for block in re.findall(r"^```sh\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
    if not line.startswith(NOT_RUN)
]
TOOLS = [line for line in COMMANDS if line.startswith("python ")]
TESTS = [line for line in COMMANDS if line.startswith("pytest ")]
PLANS = [line for line in COMMANDS if line.startswith("grouper ")]


def apply(tree: Path, block: Block) -> None:
    path = tree / block.path
    if block.language != "diff":
        assert not path.exists(), f"{block.path} is there already"
        path.write_text(block.text, encoding="utf-8")
        return
    text = path.read_text(encoding="utf-8")
    for hunk in re.split(r"^@@\n", block.text, flags=re.MULTILINE):
        lines = [(line[:1], line[1:]) for line in hunk.splitlines()]
        before = "".join(f"{line}\n" for mark, line in lines if mark != "+")
        after = "".join(f"{line}\n" for mark, line in lines if mark != "-")
        if before:
            assert f"\n{text}".count(f"\n{before}") == 1, f"{block.path} does not hold this once:\n{before}"
        text = f"\n{text}".replace(f"\n{before}", f"\n{after}")[1:] if before else text + after
    path.write_text(text, encoding="utf-8")


def run(tree: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(tree), "GROUPER_HOME": str(tree / "state")}
    return subprocess.run([sys.executable, *words], cwd=tree, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout with every block of the document applied and its tools run."""
    copy = tmp_path_factory.mktemp("extended") / "grouper"
    shutil.copytree(PROJECT, copy, ignore=NOT_SOURCE)
    for block in BLOCKS:
        apply(copy, block)
    for line in TOOLS:
        done = run(copy, *shlex.split(line)[1:])
        assert done.returncode == 0, f"{line}: {done.stderr}"
    return copy


def test_the_document_has_what_it_promises() -> None:
    headings = re.findall(r"^## (.+)$", DOCUMENT, re.MULTILINE)
    assert headings == [
        "A recipe with a reward", "A chart", "A page", "A setting", "An engine", "A GPU", "A model", "A known failure",
        "A migration",
    ]  # fmt: skip
    sections = re.split(r"^## ", DOCUMENT, flags=re.MULTILINE)[1:]
    assert all(BLOCK.search(section) and "```sh" in section for section in sections)
    assert len(BLOCKS) == sum(DOCUMENT.count(f"\n```{language}") for language in ("python", "toml", "diff"))
    assert len(TOOLS) + len(TESTS) + len(PLANS) == len(COMMANDS)


@pytest.mark.parametrize("line", dict.fromkeys(TESTS))
def test_its_tests_pass(tree: Path, line: str) -> None:
    done = run(tree, "-m", "pytest", "-m", "not browser and not engine", *shlex.split(line)[1:])
    assert done.returncode == 0, f"{line}: {done.stdout[-3000:]}{done.stderr[-1000:]}"


@pytest.mark.parametrize("line", PLANS)
def test_its_commands_work(tree: Path, line: str) -> None:
    done = run(tree, "-m", "core", *shlex.split(line)[1:])
    assert done.returncode == 0, f"{line}: {done.stderr}"
    assert "KV cache" in done.stdout


def test_what_was_added_is_loaded(tree: Path) -> None:
    program = """
from core.catalogue import detect_gpu_profile, load_catalogue
from core.config import make_config
from core.config.upgrade import read_stored
from core.insights.known_failures import recognise
from core.insights.replay import FUNCTIONS

assert detect_gpu_profile(load_catalogue(), "Example 48GB, 46068 MiB").id == "example-48gb"
assert recognise("SSLError: certificate is not yet valid").kind == "clock-wrong"
assert FUNCTIONS["letters"]("<answer>revir</answer>", {"answer": "revir"}) == 1.0
stored = read_stored('{"schema_version": 2, "model": "m", "recipe": "addition", "save_total_limit": 500}')
assert stored.save_total_limit == 100
"""
    done = run(tree, "-W", "ignore", "-c", program)
    assert done.returncode == 0, done.stderr


def test_the_engine_is_attached_by_its_name(tree: Path) -> None:
    program = """
import types
import torch
from core.config import make_config
from core.worker.engines.attach import attach_engine
from core.worker.engines.engine import InferenceEngine, Sampling

config = make_config({"model": "m", "recipe": "addition", "fast_inference": "silent"})
engine: InferenceEngine = attach_engine(config, "", types.SimpleNamespace(eos_token_id=2), torch.device("cpu"))
samples = engine.generate([[5, 6], [7]], 3, Sampling(1.0, 1.0, 0, 8, seed=0))
assert [[sample.token_ids for sample in group] for group in samples] == [[(2,)] * 3] * 2
wanted = {*InferenceEngine.__annotations__, *(name for name in vars(InferenceEngine) if not name.startswith("_"))}
assert all(hasattr(engine, name) for name in wanted)
"""
    pytest.importorskip("torch")
    done = run(tree, "-W", "ignore", "-c", program)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def page(tree: Path, tmp_path_factory: pytest.TempPathFactory, chromium_path: str | None) -> Iterator[Any]:
    """A browser at the dashboard of the extended tree, over one run that the tree before it recorded."""
    home = tmp_path_factory.mktemp("state")
    database = open_database(load_settings({"GROUPER_HOME": str(home)}).database_url)
    with database.writing() as connection:
        config = make_config({"model": "smollm2-135m", "recipe": "addition", "rank": 16})
        run_id = lifecycle.enqueue(connection, config, "recorded before").id
        lifecycle.claim(connection, run_id, identify())  # a worker that lives: nobody starts one
        record_step(connection, run_id, a_step(1))
    database.close()
    with serving(home, cwd=tree, PYTHONPATH=str(tree)) as address, browsing(chromium_path) as browser:
        tab = browser.new_page(base_url=address, viewport={"width": 1440, "height": 900}, locale="en")
        tab.run_id = run_id
        yield tab


@pytest.mark.browser
def test_the_recipe_is_on_launch(page: Any) -> None:
    page.goto("/")
    page.get_by_label("Task", exact=True).click()
    page.get_by_role("option", name="Words backwards").click()
    expect(page.locator("#recipe-about")).to_contain_text("letters in the opposite order")
    expect(page.locator("#recipe-about")).to_contain_text("Write")


@pytest.mark.browser
def test_the_chart_is_on_a_runs_page(page: Any) -> None:
    page.goto(f"/run?id={page.run_id}")
    expect(page.locator(".charts")).to_contain_text("Groups trained on")


@pytest.mark.browser
def test_the_page_is_in_the_navigation(page: Any) -> None:
    page.goto("/runs")
    page.get_by_role("navigation").get_by_role("link", name="Totals").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Totals")
    expect(page.locator("#totals")).to_contain_text("Tokens")
    expect(page.locator("nav.side a[aria-current=page]")).to_have_text("Totals")
