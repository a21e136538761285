"""A worker's run in this process, on a tiny model and without an engine."""

from pathlib import Path

from tiny_support import save_tiny
from trace_support import counted

from core.models.locate import locate
from core.planner import geometry_from_config
from core.processes import identify
from core.records.status import RunStatus
from core.settings import Settings
from core.store import Database
from core.store.runs import lifecycle, queries
from core.tasks.registry import compose, get_recipe
from core.worker.heartbeat import Heartbeat
from core.worker.run import train_run

SMALL = {
    "steps": 1, "rank": 8, "fast_inference": "off", "group_size": 2, "prompts_per_step": 1, "prompt_tokens": 200,
    "completion_tokens": 4, "evaluate_every": 0,
}  # fmt: skip


def test_a_worker_locates_its_model_once_and_never_plans(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    model = save_tiny(tmp_path / "tiny")
    config = compose("addition", str(model), "cpu", SMALL)
    with database.writing() as connection:
        run_id = lifecycle.enqueue(connection, config).id
        lifecycle.claim(connection, run_id, identify())
        run = queries.get_run(connection, run_id)
    with Heartbeat(database, run_id) as heartbeat, counted(locate, geometry_from_config, get_recipe) as calls:
        train_run(database, settings, run, heartbeat)
    assert calls == {"locate": 1, "get_recipe": 1}
    with database.reading() as connection:
        ended = queries.get_run(connection, run_id)
    assert ended.status is RunStatus.COMPLETED
    saved = (Path(ended.adapter_path) / "adapter_config.json").read_text(encoding="utf-8")
    assert f'"base_model_name_or_path": "{model}"' in saved
