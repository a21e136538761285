"""A page is sent with what it shows first, and with the names of the files it needs.

Gradio's page is empty until its scripts have come, asked the server and heard the answer. Here the panels of a page
that can say them beforehand (`first` in its module) travel inside its HTML: `grouper.js` draws them as soon as the
components stand. Which view that was is kept under a key; the page's load handler is given the key and sends only what
has changed since.
"""

import asyncio
import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any

import brotli
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from webui.components.live import asset
from webui.services import Services
from webui.serving.gradio_assets import packed, preloads
from webui.theme import STYLES
from webui.upstream.gradio import SCRIPT, at_once

log = logging.getLogger(__name__)

# What a page looks like now: the view that its tab then has, and its panels' values by their elements' ids.
First = Callable[[Services, Mapping[str, str]], tuple[Any, Mapping[str, str]]]
SCRIPTS = ("words.js", "uPlot.iife.min.js", "charts.js", "grouper.js")


@lru_cache(maxsize=1)
def own_files() -> dict[str, bytes]:
    """All of our scripts in one file and all of our styles in another, under names that change with what is in them."""
    texts = {
        ".js": ";\n".join((SCRIPT, *(asset(name) for name in SCRIPTS))).encode(),
        ".css": "\n".join(asset(f"styles/{name}.css") for name in STYLES).encode(),
    }
    return {f"grouper-{hashlib.sha256(text).hexdigest()[:12]}{kind}": text for kind, text in texts.items()}


def own_routes() -> list[Route]:
    return [Route(f"/{name}", partial(_own_file, name=name)) for name in own_files()]


def _own_file(request: Request, name: str) -> Response:
    return packed(name, request, own_files().__getitem__)


class FirstContent:
    """Middleware around Gradio's pages. `firsts`: a page's path -> what says its first content, None where nothing
    does; `kinds`: the same paths -> the kinds of components on it, known once the pages are built."""

    def __init__(
        self,
        app: ASGIApp,
        services: Services,
        firsts: Mapping[str, First | None],
        kinds: Mapping[str, frozenset[str]],
    ) -> None:
        self._app, self._services, self._firsts, self._kinds = app, services, firsts, kinds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"].lstrip("/") if scope["type"] == "http" and scope["method"] == "GET" else None
        if path is None or path not in self._firsts:
            return await self._app(scope, receive, send)
        making = asyncio.create_task(run_in_threadpool(self._first, path, scope))
        start, page = await self._page(scope, receive)
        head, end, rest = at_once(page).partition(b"</head>")
        body, last, after = rest.rpartition(b"</body>")
        writer = _Writer(start, Headers(scope=scope), send)
        await writer.write(head + (self._head(path).encode() if end else b"") + end + body)
        await writer.write((await making).encode() + last + after, more=False)

    async def _page(self, scope: Scope, receive: Receive) -> tuple[Message, bytes]:
        """Gradio's own answer."""
        start: Message = {}
        pieces: list[bytes] = []

        async def keep(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            else:
                pieces.append(message.get("body", b""))

        await self._app(scope, receive, keep)
        return start, b"".join(pieces)

    def _head(self, path: str) -> str:
        script, styles = own_files()
        own = f'<link rel="stylesheet" href="./{styles}"><script async src="./{script}"></script>'
        return own + preloads(self._kinds.get(path, frozenset()))

    def _first(self, path: str, scope: Scope) -> str:
        """The content as JSON, and the call that says that it has come. A page that cannot say its content beforehand
        shows the reason when it has loaded."""
        first = self._firsts[path]
        if first is None:
            return ""
        try:
            view, panels = first(self._services, QueryParams(scope["query_string"]))
        except Exception:
            log.warning("The first content of /%s could not be made", path, exc_info=True)
            return ""
        text = json.dumps({"key": self._services.shared.leave(view), "panels": panels}, separators=(",", ":"))
        data = text.replace("<", "\\u003c")
        brought = f'<script type="application/json" id="first-content">{data}</script>'
        # Our script may run while the parser is in the midst of the text before: only this says that it is whole.
        return f"{brought}<script>window.grouperBrought = true; window.grouper?.came()</script>"


class _Writer:
    """Sends a page in pieces: what the browser can begin with travels while the rest is being made. The fastest
    compression is enough for what is made anew for each visit."""

    def __init__(self, start: Message, asked: Headers, send: Send) -> None:
        dropped = {b"content-length", b"cache-control"}
        headers = [(name, value) for name, value in start.get("headers", []) if name not in dropped]
        self._brotli = brotli.Compressor(quality=1) if "br" in asked.get("accept-encoding", "") else None
        if self._brotli:
            headers += [(b"content-encoding", b"br"), (b"vary", b"Accept-Encoding")]
        self._start: Message | None = {**start, "headers": [*headers, (b"cache-control", b"no-store")]}
        self._send = send

    async def write(self, piece: bytes, more: bool = True) -> None:
        if self._start:
            await self._send(self._start)
            self._start = None
        if self._brotli:
            piece = self._brotli.process(piece) + (self._brotli.flush() if more else self._brotli.finish())
        await self._send({"type": "http.response.body", "body": piece, "more_body": more})
