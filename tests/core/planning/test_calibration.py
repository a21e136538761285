"""Planned against measured: learned from this machine's own runs, and shown."""

from core.planner.calibration import Calibration, calibrated
from core.planning import calibration
from core.planning.resolved_run import resolve
from core.planning.run_plan import preview
from core.records.run import PlannedMemory
from core.records.status import RunStatus
from core.records.step import Step
from core.settings import Settings
from core.store import Database
from core.store.rollouts.record import record_step
from core.store.runs import lifecycle
from core.tasks.registry import compose

CONFIG = compose("addition", "smollm2-135m", "cpu", {})


def finish(database: Database, planned: int, measured: int, steps: int = 3) -> None:
    with database.writing() as connection:
        plan = PlannedMemory(10**12, {"load": 1, "update": planned})
        run = lifecycle.enqueue(connection, CONFIG, plan=plan)
        for number in range(1, steps + 1):
            memory = {"rollout": 1, "update": measured - (number == 1), "resident": 10**13}
            record_step(connection, run.id, Step(number, {}, {}, memory))
        lifecycle.move(connection, run.id, RunStatus.CANCELLED)


def test_nothing_learned_is_said(settings: Settings, database: Database) -> None:
    calibration.learn(database, settings)
    assert calibration.calibration(settings, "cpu") == Calibration()
    assert "Estimated" in calibration.calibration(settings, "cpu").sentence


def test_runs_are_learned_once(settings: Settings, database: Database) -> None:
    finish(database, planned=1000, measured=900)
    finish(database, planned=1000, measured=1050)
    finish(database, planned=1000, measured=5000, steps=1)  # too short to know its peak
    for _ in range(2):
        calibration.learn(database, settings)
    assert calibration.calibration(settings, "cpu").ratios == (0.9, 1.05)
    assert calibration.calibration(settings, "rtx-4090").ratios == ()
    assert "2 runs on this machine peaked at 90% to 105%" in calibration.calibration(settings, "cpu").sentence


def test_doubt_has_three_levels(settings: Settings, database: Database) -> None:
    assert calibration.doubt(settings, CONFIG).startswith("Estimated: no run on this machine")
    finish(database, planned=1000, measured=970)
    calibration.learn(database, settings)
    assert calibration.doubt(settings, CONFIG).startswith("Measured here: 1 run of this model at rank 16 peaked at 97%")
    other = compose("addition", "smollm2-135m", "cpu", {"rank": 32})
    assert calibration.doubt(settings, other).startswith("Calibrated: 1 run on this machine peaked at 97%")


def test_a_broken_file_is_learned_anew(settings: Settings, database: Database) -> None:
    finish(database, planned=1000, measured=900)
    (settings.home / "calibration.json").write_text('{"runs": 3', encoding="utf-8")
    assert calibration.calibration(settings, "cpu").ratios == ()
    calibration.learn(database, settings)
    assert calibration.calibration(settings, "cpu").ratios == (0.9,)


def test_only_the_margin_is_drawn(settings: Settings) -> None:
    plan = preview(settings, resolve(settings, CONFIG))
    for ratio in (0.97, 1.1):
        drawn = calibrated(plan, Calibration((0.5, ratio)))
        for before, after in zip(plan.phases, drawn.phases, strict=True):
            assert abs(after.total_bytes - ratio * before.total_bytes) <= 1
            lines = {line.name: line.bytes for line in after.lines if line.name != "margin"}
            assert lines == {line.name: line.bytes for line in before.lines if line.name != "margin"}
    assert calibrated(plan, Calibration()) is plan
