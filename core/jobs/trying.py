"""Tasks tried before they are trained, by programs of the worker: completions of the base model, prompts as tokens."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from core.config import RunConfig
from core.errors import GrouperError, InvalidInput
from core.insights.known_failures import known_failure, recognise
from core.jobs.preflight import check_run
from core.jobs.queue import device_of, devices, usable
from core.jobs.submission import tail
from core.planning.resolved_run import resolve
from core.records.trial import Trial, trial_from
from core.settings import PROJECT, Settings, worker_environment
from core.store import Database
from core.store.runs import queries
from core.tasks.task import Message

LOG = "trial.log"
Messages = Sequence[Message]


@dataclass(frozen=True)
class PromptTokens:
    """shown: (text of a token, whether it is a special one) for each prompt; lengths: tokens of each counted prompt."""

    shown: tuple[tuple[tuple[str, bool], ...], ...]
    lengths: tuple[int, ...]


def try_task(database: Database, settings: Settings, config: RunConfig) -> Iterator[str | Trial]:
    """Each phase as it begins, and at last the trial. Nothing of the program stays behind, whoever stops listening.

    Raises InvalidInput before anything is loaded, and where a run has the device; GrouperError where the trial fails.
    """
    run = resolve(settings, config)
    check_run(settings, run)
    device = _free_device(database, settings, config)
    with _program(settings, "core.worker.trial", config.model_dump(mode="json"), device) as program:
        assert program.stdout is not None
        for line in program.stdout:
            said = json.loads(line)
            if "phase" in said:
                yield str(said["phase"])
            elif "trial" in said:
                yield trial_from(said["trial"])
                return
            else:
                raise GrouperError(" ".join(said["error"]))
        raise GrouperError(_ended(settings, program))


def prompt_tokens(
    settings: Settings, model: str, shown: Sequence[Messages], counted: Sequence[Messages]
) -> PromptTokens:
    """Prompts as this model gets them. Raises GrouperError where its tokenizer cannot be had."""
    request = {"model": model, "shown": shown, "counted": counted}
    with _program(settings, "core.worker.prompts", request, "") as program:
        assert program.stdout is not None
        line = program.stdout.readline()
        said: dict[str, Any] = json.loads(line) if line else {"error": [_ended(settings, program)]}
    if "error" in said:
        raise GrouperError(" ".join(said["error"]))
    pieces = tuple(tuple((str(text), bool(special)) for text, special in each) for each in said["shown"])
    return PromptTokens(pieces, tuple(said["lengths"]))


def _free_device(database: Database, settings: Settings, config: RunConfig) -> str:
    with database.reading() as connection:
        busy = {device_of(run): run.name for run in queries.active_runs(connection)}
    fitting = usable(config, devices(settings))
    free = [device for device in fitting if device not in busy]
    if not free:
        name = busy[fitting[0]]
        raise InvalidInput("device", fitting[0], f"which run {name} is using", "try again when it has ended")
    return free[0]


@contextmanager
def _program(
    settings: Settings, module: str, request: Mapping[str, Any], device: str
) -> Iterator["subprocess.Popen[bytes]"]:
    settings.home.mkdir(parents=True, exist_ok=True)
    with (settings.home / LOG).open("wb") as log:
        program = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", module],
            cwd=PROJECT,
            env=worker_environment(settings, device=device),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
    try:
        assert program.stdin is not None
        program.stdin.write(json.dumps(request).encode())
        program.stdin.close()
        yield program
    finally:
        if program.poll() is None:
            os.killpg(program.pid, signal.SIGKILL)
        program.wait()
        if program.stdout is not None:
            program.stdout.close()


def _ended(settings: Settings, program: "subprocess.Popen[bytes]") -> str:
    code = program.wait()
    log = tail(settings.home / LOG, 40)
    known = known_failure("killed") if code == -signal.SIGKILL else recognise(log)
    last = next((line for line in reversed(log.splitlines()) if line.strip()), "it wrote nothing")
    remedy = known.general if known else f"The file {LOG} in the state folder says more."
    return f"The trial ended with status {code}: {last.strip()[:300]}. {remedy}"
