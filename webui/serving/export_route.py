"""`/export?run=ID&format=jsonl&...`: what a question of `/find` matches, as a file, while it is being read."""

import re
from collections.abc import Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from core.errors import GrouperError
from core.export import MIME, export
from core.store.search.filter import CompletionFilter
from webui.services import Services


def export_route(services: Services) -> Route:
    """Reading only, so it is there in read-only mode too."""

    async def send(request: Request) -> Response:
        asked = request.query_params
        run_id, form = asked.get("run", ""), asked.get("format", "jsonl")
        begin: Callable[[], Any] = lambda: export(  # noqa: E731
            services.database, run_id, CompletionFilter.from_query(_without_page(asked)), form
        )
        try:
            pieces = await run_in_threadpool(begin)
        except GrouperError as error:
            return PlainTextResponse(str(error), status_code=400)
        name = f"completions-{re.sub(r'[^a-z0-9]', '', run_id)}.{form}"
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"}
        return StreamingResponse(pieces, media_type=MIME[form], headers=headers)

    return Route("/export", send, methods=["GET"])


def _without_page(asked: Any) -> dict[str, str]:
    return {name: text for name, text in asked.items() if name not in ("limit", "after")}
