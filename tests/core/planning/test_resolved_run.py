"""A resolved run: names are looked up once, and what follows from them is worked out once, when it is asked for."""

import json
from pathlib import Path

import pytest
from trace_support import counted

from core.config import RunConfig
from core.errors import InvalidInput, NotFound
from core.jobs.submission import submit
from core.models.locate import locate, read_config
from core.planner import geometry_from_config, plan
from core.planning.remedies import remedies
from core.planning.resolved_run import resolve
from core.planning.run_plan import preview
from core.processes import identify
from core.settings import Settings
from core.store import Database
from core.store.runs import lifecycle
from core.tasks.registry import compose, get_recipe


def config(model: str = "smollm2-135m", gpu: str = "cpu", **overrides: object) -> RunConfig:
    return compose("addition", model, gpu, overrides)


def test_names_become_what_they_stand_for(settings: Settings) -> None:
    run = resolve(settings, config(gpu="rtx-4090"))
    assert (run.gpu.id, run.gpu.kind) == ("rtx-4090", "cuda")
    assert run.model.folder == settings.models / "smollm2-135m"
    assert run.task is get_recipe("addition")
    assert run.plan.model == "smollm2-135m"


@pytest.mark.parametrize(
    ("name", "kind"), [("model", InvalidInput), ("gpu", NotFound), ("recipe", NotFound)], ids=lambda value: str(value)
)
def test_an_unknown_name_is_refused_at_once(settings: Settings, name: str, kind: type[Exception]) -> None:
    with pytest.raises(kind, match=f"`{name}` is './nothing'"):
        resolve(settings, config().model_copy(update={name: "./nothing"}))


def test_a_model_that_the_planner_does_not_understand_is_refused_where_it_is_planned(
    settings: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "strange"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "strange"}), encoding="utf-8")
    (folder / "model.safetensors").write_bytes(b"")
    run = resolve(settings, config(str(folder)))
    assert run.model.folder == folder  # all that a worker wants to know
    assert run.model_config == {"model_type": "strange"}
    for asked in ("geometry", "plan"):
        with pytest.raises(InvalidInput, match="strange"):
            getattr(run, asked)


def test_a_change_keeps_what_was_read_of_the_model_and_plans_anew(settings: Settings) -> None:
    run = resolve(settings, config(gpu="rtx-4090", rank=64))
    before = run.plan
    with counted(read_config, geometry_from_config, locate, plan) as calls:
        smaller = run.changed({"rank": 16})
        assert smaller.plan.peak_bytes < before.peak_bytes
    assert calls == {"plan": 1}
    assert (smaller.config.rank, smaller.task, smaller.model) == (16, run.task, run.model)
    with pytest.raises(InvalidInput, match="`rank` is 7"):
        run.changed({"rank": 7})


@pytest.mark.parametrize("insist", [False, True])
def test_a_submit_looks_up_its_names_once_and_plans_once(settings: Settings, database: Database, insist: bool) -> None:
    with database.writing() as connection:  # the device is taken, so no worker starts
        lifecycle.claim(connection, lifecycle.enqueue(connection, config()).id, identify())
    asked = config()
    with counted(plan, geometry_from_config, locate, read_config, get_recipe) as calls:
        run = submit(database, settings, asked, insist=insist)
    assert calls == {"plan": 1, "geometry_from_config": 1, "locate": 1, "read_config": 1, "get_recipe": 1}
    assert run.config == asked
    assert run.plan is not None
    assert max(run.plan.phases.values()) == resolve(settings, run.config).plan.peak_bytes


def test_advice_for_what_does_not_fit_reads_the_model_once(settings: Settings) -> None:
    run = resolve(settings, config("qwen2.5-7b", "rtx-4090"))
    with counted(geometry_from_config, locate) as calls:
        assert not preview(settings, run).fits
        assert remedies(run)
    assert calls == {"geometry_from_config": 1}
