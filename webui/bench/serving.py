"""The dashboard as a user starts it, and the smallest page that Gradio makes, to see what Gradio itself takes."""

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil

from core.settings import PROJECT

# One line of text and nothing to load, served the way the dashboard is.
BARE = """
import gradio as gr
with gr.Blocks(analytics_enabled=False) as page:
    gr.HTML("<p id=there>There it is.</p>")
page.launch(footer_links=[], run_history=False, ssr_mode=False, mcp_server=False, pwa=False, quiet=True)
"""


@contextmanager
def dashboard(folder: Path, database_url: str = "") -> Iterator[tuple[str, psutil.Process]]:
    """`python -m webui` over this state folder, and its database unless another is named: its address and process."""
    with _serving(folder, "-m", "webui", database_url=database_url) as found:
        yield found


@contextmanager
def bare_page(folder: Path) -> Iterator[str]:
    with _serving(folder, "-c", BARE) as (address, _):
        yield address


@contextmanager
def _serving(folder: Path, *program: str, database_url: str = "") -> Iterator[tuple[str, psutil.Process]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {"GROUPER_HOME": str(folder), "GRADIO_SERVER_NAME": "127.0.0.1", "GRADIO_SERVER_PORT": str(port)}
    environment["GROUPER_DATABASE_URL"] = database_url or f"sqlite:///{folder / 'grouper.db'}"
    with (folder / f"{port}.log").open("wb") as log:
        server = subprocess.Popen(
            ["/usr/bin/env", *(f"{name}={value}" for name, value in environment.items()), sys.executable, *program],
            cwd=PROJECT,
            stdout=log,
            stderr=log,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            try:
                httpx.get(address, timeout=10).raise_for_status()
                break
            except httpx.HTTPError:
                time.sleep(0.2)
        yield address, psutil.Process(server.pid)
    finally:
        server.terminate()
        server.wait(timeout=30)


def milliseconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - began)


def say(text: str) -> None:
    sys.stderr.write(text + "\n")
