"""Why a worker ended that did not say so itself: what can be told from outside."""

import json
import signal
import time
from dataclasses import asdict

from core.insights.known_failures import known_failure
from core.processes import boot_id
from core.records.run import Failure, Run


def diagnose_exit(run: Run, exit_code: int | None, oom_kills: int, saved: int) -> Failure:
    """The failure of a run whose worker is gone without a word.

    exit_code  as the system told it to who started the worker; None when somebody else did
    oom_kills  how many processes of the worker's control group were ended for memory by now
    saved      the step of the newest checkpoint, 0 when there is none
    """
    assert run.process is not None
    where = f" while it was in phase {run.phase}" if run.phase else ""
    who = f"The worker process (pid {run.process.pid})"
    kind, message, remedy = "worker-died", f"{who} ended{where} without saying why{_code(exit_code)}.", ""
    before = run.facts.get("oom_kills")
    if run.process.boot_id != boot_id():
        kind, message = "power-lost", f"The machine restarted{where}; the worker ended with it."
    elif before is not None and oom_kills > before:
        known = known_failure("killed")
        kind, message, remedy = "out-of-memory-host", f"The system ended {who} for memory{where}.", known.general
    elif exit_code == -signal.SIGKILL:
        kind, message = "killed", f"{who} was killed{where}, by somebody or by the system."
        remedy = known_failure("killed").general
    resume = f"Resume goes on from the checkpoint of step {saved}." if saved else "Resume starts over."
    details = {"process": asdict(run.process), "exit_code": exit_code, "noticed_at": time.time()}
    advice = f"{remedy} {resume}" if remedy else f"See the last lines of its log. {resume}"
    return Failure(kind, message, advice, json.dumps(details))


def _code(exit_code: int | None) -> str:
    if exit_code is None:
        return ""
    return f" (signal {-exit_code})" if exit_code < 0 else f" (exit code {exit_code})"
