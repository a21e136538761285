"""What comes with a page's HTML: its first content, its scripts, and the names of the files it needs."""

import json
import re
import urllib.error
import urllib.request
from typing import Any

import brotli
import pytest

from webui.serving.gradio_assets import ASSETS, preloads
from webui.upstream.gradio import ENTRY_NAME, FRONTEND, at_once

CONTENT = re.compile(r'<script type="application/json" id="first-content">(.*?)</script>', re.S)


def _get(address: str, **headers: str) -> tuple[bytes, Any]:
    with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=30) as answer:
        return answer.read(), answer.headers


def _first(address: str) -> dict[str, Any]:
    body, headers = _get(address)
    assert headers["Cache-Control"] == "no-store"
    found = CONTENT.search(body.decode())
    assert found is not None
    read: dict[str, Any] = json.loads(found[1])
    return read


def test_every_file_a_page_will_need_is_named_and_there() -> None:
    named = re.findall(r'href="\./assets/([^"]+)"', preloads(frozenset({"html", "state", "column", "textbox"})))
    assert len(named) > 20
    assert any(name.startswith("HTML-") for name in named)
    assert len(preloads(frozenset({"textbox"}))) > len(preloads(frozenset()))
    assert [name for name in named if not (ASSETS / name).is_file()] == []


def test_gradios_entry_waits_for_its_element_alone() -> None:
    """The element reads its attributes when it is made; an entry that ran before would make one without any."""
    page = at_once((FRONTEND / "index.html").read_bytes())
    assert page.count(b'type="module"') == 1
    assert page.index(b"</gradio-app>") < page.index(b'<script type="module" async') < page.index(b"</body>")
    assert at_once(b"<html>another build of Gradio</html>") == b"<html>another build of Gradio</html>"


@pytest.mark.browser
def test_a_runs_page_brings_its_panels_and_its_curves(dashboard: str, runs: dict[str, str]) -> None:
    panels = _first(f"{dashboard}/run?id={runs['finished']}")["panels"]
    assert "finished run" in panels["heading"]
    assert json.loads(panels["charts"])["sources"][0]["steps"]
    assert "finished run" in _first(f"{dashboard}/runs?search=finished")["panels"]["runs"]
    assert _first(f"{dashboard}/compare?runs={runs['finished']},{runs['running']}")["panels"]["final"]


@pytest.mark.browser
def test_text_of_others_cannot_end_the_script_it_travels_in(dashboard: str, runs: dict[str, str]) -> None:
    body, _ = _get(f"{dashboard}/run?id={runs['failed']}")
    found = CONTENT.search(body.decode())
    assert found is not None
    assert "<" not in found[1]
    assert "&lt;b&gt;run" in json.loads(found[1])["panels"]["heading"]


@pytest.mark.browser
def test_a_tab_brings_the_key_of_what_came_with_its_page(page: Any, runs: dict[str, str]) -> None:
    with page.expect_request("**/queue/join*") as asked:
        page.goto(f"run?id={runs['finished']}")
    assert re.fullmatch(r"[0-9a-f]{16}", asked.value.post_data_json["data"][0])


@pytest.mark.browser
def test_content_that_comes_late_is_drawn_all_the_same(page: Any, runs: dict[str, str]) -> None:
    came = "window.grouperBrought = true; window.grouper?.came()"

    def late(route: Any) -> None:
        body = route.fetch().text()
        assert came in body
        route.fulfill(body=body.replace(came, f"setTimeout(() => {{{came}}}, 1200)"), content_type="text/html")

    page.route("**/runs", late)
    page.goto("runs")
    page.wait_for_selector("table.runs tbody tr")
    page.wait_for_timeout(1500)
    page.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_url("**/runs?sort=name")


@pytest.mark.browser
def test_files_are_kept_by_browsers_and_travel_small(dashboard: str) -> None:
    entry = ENTRY_NAME.search((FRONTEND / "index.html").read_bytes())
    assert entry is not None
    address = f"{dashboard}/assets/{entry[1].decode()}"
    plain, _ = _get(address)
    small, headers = _get(address, **{"Accept-Encoding": "br"})
    assert "immutable" in headers["Cache-Control"]
    assert brotli.decompress(small) == plain
    for path in ("assets/nothing.js", "assets/..%2Findex.html", "assets/%2e%2e/index.html"):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            _get(f"{dashboard}/{path}")
