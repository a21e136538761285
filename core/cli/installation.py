"""Commands about this installation: serve it, check it, prepare it, back it up."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from core.catalogue import load_catalogue
from core.cli import render
from core.cli.options import Json, open_state
from core.cli.output import say, say_live, show_result
from core.jobs.builtin import prepare_builtin
from core.jobs.doctor import Check, examine, report
from core.settings import PROJECT, load_settings, page_environment


def ui(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "",
    port: Annotated[int, typer.Option(help="Port to listen on; 0: the default.", min=0, max=65535)] = 0,
    read_only: Annotated[bool, typer.Option("--read-only", help="Show runs, change nothing.")] = False,
) -> None:
    """Serve the dashboard."""
    os.chdir(PROJECT)
    os.execve(sys.executable, [sys.executable, "-m", "webui"], page_environment(host, port, read_only))


def backup(path: Annotated[Path, typer.Argument(help="Where the copy goes.")], as_json: Json = False) -> None:
    """Copy the database while everything goes on."""
    _settings, database = open_state()
    database.back_up(path)
    show_result(as_json, {"path": str(path), "bytes": path.stat().st_size}, f"The database is copied to {path}.")


def doctor(
    quick: Annotated[bool, typer.Option("--quick", help="Only look; start no engine.")] = False, as_json: Json = False
) -> int:
    """Check this installation: what is installed, what works, how fast, and what to do about the rest."""
    settings = load_settings()
    checks: list[Check] = []
    for check in examine(settings, quick):
        say_live(render.check_line(check))
        if check.state != "running":
            checks.append(check)
            if sys.stderr.isatty():
                say("")
    document = report(settings, checks)
    show_result(as_json, document, str(document["sentence"]))
    return 0 if document["healthy"] else 1


def prepare() -> None:
    """Make the built-in model ready now instead of at the first launch."""
    settings = load_settings()
    prepare_builtin(settings, load_catalogue())
