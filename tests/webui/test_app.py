"""The pages put together, without a server."""

import gc
import warnings
from collections.abc import Iterator

import gradio as gr
import pytest

from core.settings import load_settings, page_environment
from webui.app import create_app, launch_arguments
from webui.navigation import PAGES, Page, links
from webui.services import Services, open_services

# Gradio makes event loops that nobody closes; they are collected here and not in somebody else's test.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
MUTATING = {
    "launch", "stop", "run_next", "examine", "act", "change", "save_preset", "forget_preset", "flag_completion",
    "save_remark",
}  # fmt: skip


@pytest.fixture(scope="module", params=[False, True], ids=["normal", "read-only"])
def services(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    environment = page_environment("", 0, read_only=request.param)  # what `grouper ui --read-only` starts it with
    opened = open_services(load_settings({**environment, "GROUPER_HOME": str(tmp_path_factory.mktemp("app"))}))
    assert opened.read_only is request.param
    collect_loops()  # what importing Gradio left: collected inside an import it would raise a KeyError there
    yield opened
    opened.close()
    collect_loops()


def collect_loops() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture(scope="module")
def app(services: Services) -> gr.Blocks:
    return create_app(services)


def test_handlers_that_change_something_exist_only_where_they_may(services: Services, app: gr.Blocks) -> None:
    registered = {function.name for function in app.fns.values()}
    assert registered & MUTATING == (set() if services.read_only else MUTATING)


def test_no_handler_is_offered_as_an_api_and_none_makes_viewers_wait(app: gr.Blocks) -> None:
    for function in app.fns.values():
        assert function.api_visibility == "private", function.name
        assert function.concurrency_limit is None, function.name


def test_every_page_has_its_address(app: gr.Blocks) -> None:
    addresses = [address for address, *_ in app.pages]
    assert addresses == [page.address for page in PAGES]
    assert len({*addresses}) == len(addresses)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.title)
def test_every_page_has_one_place_in_the_navigation(page: Page) -> None:
    assert [link.current for link in links(page)].count(True) == 1
    assert bool(page.icon) != bool(page.under)


def test_nothing_is_kept_in_the_browser_and_the_framework_stays_out_of_sight(services: Services) -> None:
    arguments = launch_arguments(services)
    assert arguments["run_history"] is False
    assert arguments["footer_links"] == []
    assert arguments["share"] is False
