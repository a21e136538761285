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
import gradio
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

FOLDER = Path(gradio.__file__).parent / "templates" / "frontend"
FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}
KINDS = {".js": "text/javascript", ".css": "text/css"}
NAME = re.compile(r"[\w.-]+")
NEEDS = r"import\(`\./({name})`\)[^_]{{0,60}}__vite__mapDeps\(\[([\d,]*)\]\)"


def assets_route() -> Route:
    """`/assets/NAME`, in Gradio's place."""

    def answer(request: Request) -> Response:
        name = request.path_params["name"]
        path = FOLDER / "assets" / name
        if not NAME.fullmatch(name) or not path.is_file():
            return PlainTextResponse("There is no such file.", status_code=404)
        if path.suffix not in KINDS:
            return FileResponse(path, headers=FOREVER)
        return packed(path.name, request, _content)

    return Route("/assets/{name:path}", answer)


def packed(name: str, request: Request, content: Callable[[str], bytes]) -> Response:
    """A file whose name changes with its content: compressed, once, where the browser takes that."""
    takes = "br" in request.headers.get("accept-encoding", "")
    body = _compressed(name, content) if takes else content(name)
    headers = {**FOREVER, "Vary": "Accept-Encoding", **({"Content-Encoding": "br"} if takes else {})}
    return Response(body, media_type=KINDS[Path(name).suffix], headers=headers)


@lru_cache(maxsize=64)
def preloads(kinds: Collection[str]) -> str:
    """Links to all that a page with these kinds of components will ask for. Empty where Gradio is built otherwise."""
    found: list[str] = []
    entry = re.search(r'src="\./assets/(index-[\w-]+\.js)"', (FOLDER / "index.html").read_text(encoding="utf-8"))
    if entry is None:
        return ""
    start, core = _needs(entry[1], r"Index-[\w-]+\.js"), _needs(entry[1], r"core-[\w-]+\.js")
    found += [entry[1], *start, *core]
    if start and core:
        found += _needs(start[0], r"Blocks-[\w-]+\.js")
        for kind in sorted(kinds):
            found += _needs(core[0], r"[\w-]+\.js", rf"[{{,]{kind}:\{{[^{{}}]*?component:\(\)=>\w+\(\(\)=>")
    return "".join(_link(name) for name in dict.fromkeys(found))


def _needs(script: str, name: str, before: str = "") -> list[str]:
    """The file that `script` imports under this name, then what that file imports, by the list at its head."""
    text = _content(script).decode()
    found = re.search(before + NEEDS.format(name=name), text)
    files = re.search(r"m\.f=\[(.*?)\]", text)
    if found is None or files is None:
        return []
    names = re.findall(r'"\./([^"]+)"', files[1])
    return [found[1], *(names[int(place)] for place in found[2].split(",") if place)]


def _link(name: str) -> str:
    kind = 'rel="modulepreload"' if name.endswith(".js") else 'rel="preload" as="style"'
    return f'<link {kind} crossorigin href="./assets/{name}">'


@lru_cache(maxsize=512)
def _content(name: str) -> bytes:
    return (FOLDER / "assets" / name).read_bytes()


@lru_cache(maxsize=512)
def _compressed(name: str, content: Callable[[str], bytes]) -> bytes:
    return brotli.compress(content(name), quality=6)
