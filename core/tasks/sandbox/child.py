"""The child: told by its parent what to load and how to confine itself, then answering what it is asked until it ends.

Started by path, with the numbers of two open pipes as arguments. The first frame is the config, its answer says whether
the child is ready; then one answer for each request, with the request's id.
"""

import importlib
import random
import sys
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from os import _exit as leave
from os import close, dup, fork, getppid, kill
from pathlib import Path
from sys import stdout as output
from types import ModuleType
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[3]))

from core.tasks.sandbox.calls import Caller, WrongAnswer, reason, score_each
from core.tasks.sandbox.confine import confine
from core.tasks.sandbox.frames import Channel
from core.tasks.sandbox.own_code import load, offers, rows

Answer = Callable[[Mapping[str, Any]], dict[str, Any]]
Builder = Callable[[Any], Callable[[str, Mapping[str, Any]], float | None]]


def main() -> None:
    incoming, outgoing = (_low(int(number)) for number in sys.argv[1:3])
    channel = Channel(incoming, outgoing)
    config = channel.receive()
    program = config["program"]
    try:
        facts = confine(config["confinement"])
        answers = {} if program["kind"] == "source" else LOADERS[program["kind"]](program)
    except BaseException as error:
        channel.send({"failed": reason(error)})
        leave(1)
    if program["kind"] == "source":
        close(incoming)
        close(outgoing)
        return run(program["source"])
    channel.send({"ready": facts})
    serve(channel, answers)


def serve(channel: Channel, answers: Mapping[str, Answer]) -> None:
    """Answers one request after the other; whatever is raised is an answer too."""
    while True:
        try:
            request = channel.receive()
        except EOFError:
            leave(0)
        try:
            reply = answers[request["do"]](request)
        except WrongAnswer as error:
            reply = {"refused": str(error), "retry": False}
        except BaseException as error:
            reply = {"refused": reason(error), "retry": True}
        with suppress(BaseException):  # so that what it printed is seen even if it is ended before the next request
            output.flush()
        try:
            channel.send({"id": request["id"], **reply})
        except (TypeError, ValueError, RecursionError) as error:
            channel.send({"id": request["id"], "refused": f"the answer is nothing that JSON holds: {reason(error)}"})


def own(program: Mapping[str, Any]) -> dict[str, Answer]:
    """A user's file: what it offers, rows of its table, scores."""
    module, caller = load(Path(program["path"])), Caller()
    offered = offers(module)

    def score(request: Mapping[str, Any]) -> dict[str, Any]:
        offer = offered.get(request["function"])
        if offer is None:
            raise WrongAnswer(f"the file offers no function {request['function']}")
        seed(request["seed"])
        return caller.score(offer, request["frames"], request["form"], request["state"])

    def table(request: Mapping[str, Any]) -> dict[str, Any]:
        wanted, total = rows(module, request["start"], request["count"])
        return {"rows": wanted, "total": total}

    described = [offer.function.as_json() for offer in offered.values()]
    return {"functions": lambda request: {"functions": described}, "rows": table, "score": score}


def library(program: Mapping[str, Any]) -> dict[str, Answer]:
    """Functions that a module of this project builds, one from each spec."""
    module, _, name = program["builder"].partition(":")
    build: Builder = getattr(importlib.import_module(module), name)
    scorers = {name: build(spec) for name, spec in program["specs"].items()}
    return {"score": lambda request: score_each(scorers[request["function"]], request["frames"])}


def trial(program: Mapping[str, Any]) -> dict[str, Answer]:
    """Nothing foreign: what the confinement leaves open."""
    return {"attempt": lambda request: {"possible": possible(request["file"])}}


def possible(file: str) -> list[str]:
    """What this process should not be able to do and can: each is tried."""
    import socket

    attempts: dict[str, Callable[[], Any]] = {
        "read": lambda: open(file, "rb").close(),
        "write": lambda: open(file, "ab").close(),
        "socket": lambda: socket.socket().close(),
        "signal": lambda: kill(getppid(), 0),
        "start": lambda: fork() or leave(0),
    }
    return [name for name, attempt in attempts.items() if _works(attempt)]


def run(source: str) -> None:
    """One program, as `python program.py` would run it; its exit code is this process's."""
    module = sys.modules["__main__"] = ModuleType("__main__")
    sys.argv = ["program.py"]
    try:
        exec(compile(source, "program.py", "exec"), vars(module))
    except Exception as error:
        traceback.print_exception(error.with_traceback(error.__traceback__ and error.__traceback__.tb_next))
        sys.exit(1)


def seed(text: str) -> None:
    """The same draws for the same request, whichever child answers it."""
    random.seed(text)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(random.getrandbits(32))


LOADERS: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Answer]]] = {
    "own": own,
    "library": library,
    "trial": trial,
}


def _low(number: int) -> int:
    """This open file under a number below the limit of open files."""
    low = dup(number)
    close(number)
    return low


def _works(attempt: Callable[[], Any]) -> bool:
    try:
        attempt()
    except OSError:
        return False
    return True


if __name__ == "__main__":
    main()
