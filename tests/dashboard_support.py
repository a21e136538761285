"""A dashboard started the way a user starts it, and a browser to look at it."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import sync_playwright

from core.settings import PROJECT, load_settings
from core.store import Database, open_database

QUIET = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")


@contextmanager
def serving(
    home: Path,
    python: str = sys.executable,
    port: int = 0,
    *,
    words: Sequence[str] = ("app.py",),
    cwd: Path = PROJECT,
    **environment: str,
) -> Iterator[str]:
    """The address of `python app.py` over this state folder, for as long as the block runs; port 0: any free one.

    python, words, cwd  another program, what follows it, and where it is started
    """
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        free.bind(("127.0.0.1", port))
        port = free.getsockname()[1]
    chosen = {"GROUPER_HOME": str(home), "GRADIO_SERVER_NAME": "127.0.0.1", "GRADIO_SERVER_PORT": str(port)}
    home.mkdir(parents=True, exist_ok=True)
    log = home / "dashboard.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [python, *words], cwd=cwd, env={**os.environ, **chosen, **environment}, stdout=output, stderr=output
        )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(address, server, log)
        yield address
    finally:
        server.terminate()
        server.wait(timeout=30)


@contextmanager
def browsing(chromium_path: str | None) -> Iterator[Any]:
    """A headless Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, args=list(QUIET))
        yield browser
        browser.close()


def database_of(home: Path) -> Iterator[Database]:
    """A fixture in any scope: the database of the state folder that `home` is there."""
    opened = open_database(load_settings({"GROUPER_HOME": str(home)}).database_url)
    yield opened
    opened.close()


def dashboard_of(home: Path, runs: dict[str, str]) -> Iterator[str]:
    """A fixture in any scope: the address of a dashboard over `home`, where `runs` are by then."""
    with serving(home) as address:
        yield address


def _wait_for(address: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    pytest.fail(f"the dashboard did not come up:\n{log.read_text(errors='replace')[-3000:]}")
