"""Choosing a run: a list that goes to the same page for another run."""

from collections.abc import Sequence

from core.records.run import Run
from webui.present import esc


def run_select(runs: Sequence[Run], chosen: Run | None, page: str) -> str:
    """A list of runs; `grouper.js` goes to the page of what is chosen."""
    known = [*runs] if chosen is None or chosen.id in {run.id for run in runs} else [chosen, *runs]
    options = "".join(
        f'<option value="{page}?run={esc(run.id)}"{" selected" if chosen and run.id == chosen.id else ""} '
        f'translate="no">'
        f"{esc(run.name)} · {esc(run.id)}</option>"
        for run in known
    )
    first = "" if chosen else '<option value="" selected>Choose a run</option>'
    return f'<select class="choice" aria-label="Run" data-visit>{first}{options}</select>'
