"""What a run was planned to hold and what it held, phase by phase."""

from collections.abc import Sequence

from core.records.run import LoadPhase, Run
from core.store.runs.history import History
from core.units import gib
from webui.present import NOTHING, capitalised, esc

PHASES = ("load", "rollout", "sync", "update")


def memory_table(run: Run, loading: Sequence[LoadPhase], history: History) -> str:
    """A row for each phase of the plan with the highest measured value beside it."""
    measured = {"load": max((phase.memory_bytes for phase in loading), default=0)}
    measured |= {name: history.peaks.get(name, 0) for name in PHASES[1:]}
    planned = dict(run.plan.phases) if run.plan else {}
    if not planned and not any(measured.values()):
        return '<p class="soft">Measured from the first phase on.</p>'
    rows = "".join(_row(name, planned.get(name, 0), measured[name]) for name in PHASES)
    return (
        '<table class="table memory"><thead><tr><th scope="col">Phase</th><th scope="col" class="number">Planned</th>'
        '<th scope="col" class="number">Measured peak</th><th scope="col" class="number">Difference</th></tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def _row(name: str, planned: int, measured: int) -> str:
    difference = (
        f"{(planned - measured) / measured:+.1%}".replace("-", "\N{MINUS SIGN}") if planned and measured else ""
    )
    cells = [gib(planned) if planned else NOTHING, gib(measured) if measured else NOTHING, difference or NOTHING]
    numbers = "".join(f'<td class="number">{cell}</td>' for cell in cells)
    return f'<tr><th scope="row">{esc(capitalised(name))}</th>{numbers}</tr>'
