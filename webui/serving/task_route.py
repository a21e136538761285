"""`/task-archive?name=NAME@HASH`: a saved task as one file to share."""

from pathlib import Path
from tempfile import TemporaryDirectory

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from core.errors import GrouperError
from core.tasks.own.archive import export_task
from core.tasks.own.saved import find_saved
from webui.services import Services


def task_route(services: Services) -> Route:
    """Reading only, so it is there in read-only mode too."""

    def packed(name: str) -> tuple[str, bytes]:
        saved = find_saved(name, services.settings.tasks)
        with TemporaryDirectory(prefix="grouper-export-") as folder:
            return saved.name, export_task(saved, Path(folder) / "task.zip").read_bytes()

    async def send(request: Request) -> Response:
        try:
            name, content = await run_in_threadpool(packed, request.query_params.get("name", ""))
        except GrouperError as error:
            return PlainTextResponse(str(error), status_code=400)
        headers = {"Content-Disposition": f'attachment; filename="{name}.zip"', "X-Content-Type-Options": "nosniff"}
        return Response(content, media_type="application/zip", headers=headers)

    return Route("/task-archive", send, methods=["GET"])
