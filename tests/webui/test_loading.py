"""What the run's page says while a model loads."""

import time

import pytest

from core.config import make_config
from core.records.run import Run
from core.records.status import RunStatus
from core.store.runs.history import History
from webui.components.run_panels import headline

EXPECTED = {"find model": 0.5, "start engine": 12.0, "read weights": 2.0, "prove adapter live": 3.0}


@pytest.mark.parametrize(
    ("phase", "said"),
    [
        ("start engine", "of about 12 s, then 5 s more until the first step"),
        ("prove adapter live", "of about 3 s"),
        ("generate", "Sampling completions"),
    ],
)
def test_a_loading_run_says_how_long_it_will_take(phase: str, said: str) -> None:
    config = make_config({"model": "smollm2-135m", "recipe": "addition"})
    run = Run(
        "abc",
        "run",
        RunStatus.STARTING,
        config,
        0.0,
        phase=phase,
        phase_started_at=time.time() - 4,
        facts={"load_seconds": EXPECTED},
    )
    shown = headline(run, History("abc", 1), time.time())
    assert said in shown
    assert ("of about" in shown) == (phase in EXPECTED)
