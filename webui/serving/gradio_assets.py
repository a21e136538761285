"""Gradio's own scripts and styles: kept by browsers, compressed once, and asked for before they are missed.

Gradio serves each file anew to every visit and compresses it each time, and its scripts name the next ones only when
they run: one after the other, five deep. The names carry a hash of what is in them, so a browser may keep them for
good; and which files a page will need can be read from the scripts themselves.
"""

import re
from collections.abc import Callable, Collection
from functools import lru_cache
from pathlib import Path

import brotli
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from webui.upstream.gradio import FRONTEND, asset_bytes, files_needed

ASSETS = FRONTEND / "assets"
FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}
KINDS = {".js": "text/javascript", ".css": "text/css"}
NAME = re.compile(r"[\w.-]+")


def assets_routes() -> list[Route]:
    """`/assets/NAME`, in Gradio's place; left to Gradio where it keeps its files elsewhere."""

    def answer(request: Request) -> Response:
        name = request.path_params["name"]
        path = ASSETS / name
        if not NAME.fullmatch(name) or not path.is_file():
            return PlainTextResponse("There is no such file.", status_code=404)
        if path.suffix not in KINDS:
            return FileResponse(path, headers=FOREVER)
        return packed(path.name, request, asset_bytes)

    return [Route("/assets/{name:path}", answer)] if ASSETS.is_dir() else []


def packed(name: str, request: Request, content: Callable[[str], bytes]) -> Response:
    """A file whose name changes with its content: compressed, once, where the browser takes that."""
    takes = "br" in request.headers.get("accept-encoding", "")
    body = _compressed(name, content) if takes else content(name)
    headers = {**FOREVER, "Vary": "Accept-Encoding", **({"Content-Encoding": "br"} if takes else {})}
    return Response(body, media_type=KINDS[Path(name).suffix], headers=headers)


@lru_cache(maxsize=64)
def preloads(kinds: Collection[str]) -> str:
    """Links to all that a page with these kinds of components will ask for. Empty where Gradio is built otherwise."""
    return "".join(_link(name) for name in files_needed(kinds))


def _link(name: str) -> str:
    kind = 'rel="modulepreload"' if name.endswith(".js") else 'rel="preload" as="style"'
    return f'<link {kind} crossorigin href="./assets/{name}">'


@lru_cache(maxsize=512)
def _compressed(name: str, content: Callable[[str], bytes]) -> bytes:
    return brotli.compress(content(name), quality=6)
