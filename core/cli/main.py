"""The `grouper` command: a thin door to the same functions as the pages.

Exit codes: 0 done, 1 the run failed, 2 bad arguments (one line on stderr). With --json one JSON document goes to
stdout and nothing else; everything else goes to stderr.
"""

import sys
from collections.abc import Callable

import typer

from core.bench.commands import bench
from core.cli.installation import backup, doctor, prepare, ui
from core.cli.launch import launch, resume
from core.cli.output import complain
from core.cli.plan import plan
from core.cli.runs import completions, delete, export, list_runs, metrics, review, run_next, show, stop
from core.cli.tasks import task
from core.errors import GrouperError, InvalidInput

app = typer.Typer(
    add_completion=False, no_args_is_help=False, rich_markup_mode=None, pretty_exceptions_enable=False, help=__doc__
)
app.add_typer(bench, name="bench")
app.add_typer(task, name="task")
COMMANDS: dict[str, Callable[..., object]] = {
    "ui": ui,
    "launch": launch,
    "plan": plan,
    "runs": list_runs,
    "show": show,
    "metrics": metrics,
    "completions": completions,
    "review": review,
    "export": export,
    "stop": stop,
    "next": run_next,
    "resume": resume,
    "delete": delete,
    "backup": backup,
    "doctor": doctor,
    "prepare": prepare,
}
for name, command in COMMANDS.items():
    app.command(name)(command)


def main() -> None:
    """Entry point: turns every mistake into one line and the right exit code."""
    try:
        code = app(standalone_mode=False)
    except typer.TyperException as error:
        sys.exit(complain(f"{error.format_message()} See `grouper --help`."))
    except InvalidInput as error:
        sys.exit(complain(str(error)))
    except GrouperError as error:
        complain(str(error))
        sys.exit(1)
    except typer.Abort:
        sys.exit(130)
    sys.exit(code if isinstance(code, int) else 0)
