"""The planner against measurements: published ones, and a set of its own taken on one GPU."""

import json
from pathlib import Path
from typing import Any

import pytest

from core.catalogue import load_catalogue
from core.config.run_config import ATTENTION_MODULES, LINEAR_MODULES
from core.errors import InvalidInput, NotFound
from core.planner import Workload, compare_published, geometry_from_config, plan
from core.planner.aliases import current

CATALOGUE = load_catalogue()
PUBLISHED = json.loads((Path(__file__).parents[2] / "data" / "measured_memory.json").read_text())["rows"]
H100 = json.loads(Path(__file__).with_name("measured_h100.json").read_text())["rows"]


def test_published_measurements_are_met() -> None:
    result = compare_published(PUBLISHED, CATALOGUE)
    assert result["mean_abs_error"] < 0.005
    assert result["max_abs_error"] < 0.01
    assert [row["measured_bytes"] for row in result["rows"]] == [row["measured_bytes"] for row in PUBLISHED]
    for row in result["rows"]:
        assert row["error"] == pytest.approx(row["predicted_bytes"] / row["measured_bytes"] - 1)


def test_a_row_may_bring_its_own_config() -> None:
    row = {**PUBLISHED[4], "model": "mine/llama", "config": dict(CATALOGUE.find_model("llama-3-8b").geometry)}
    assert (
        compare_published([row], CATALOGUE)["max_abs_error"]
        == compare_published([PUBLISHED[4]], CATALOGUE)["max_abs_error"]
    )


@pytest.mark.parametrize("row", H100, ids=lambda row: f"{row['model']}-{row['head']}-{row['completion_tokens']}")
def test_a_measured_update_is_met(row: dict[str, Any]) -> None:
    """Peak of the trainer alone: no engine, and without the margin, which is not torch's."""
    geometry = geometry_from_config(CATALOGUE.find_model(row["model"]).geometry, row["model"])
    if row["layers"] != geometry.num_hidden_layers:
        changed = {**CATALOGUE.find_model(row["model"]).geometry, "num_hidden_layers": row["layers"]}
        geometry = geometry_from_config(changed, row["model"])
    workload = Workload(
        rank=row["rank"],
        target_modules=LINEAR_MODULES if row["target_modules"] == "all" else ATTENTION_MODULES,
        adapter_dtype=row["adapter_dtype"],
        fp32_inputs=True,
        quantization=row["quantization"],
        optim=current("optim", row["optim"])[1],
        gradient_checkpointing=row["gradient_checkpointing"],
        head=row["head"],
        padded=row["padded"],
        fast_inference="off",
        prompts_per_step=2,
        group_size=row["micro_batch"],
        prompt_tokens=row["prompt_tokens"],
        completion_tokens=row["completion_tokens"],
        per_device_train_batch_size=row["micro_batch"],
    )
    parts = plan(geometry, CATALOGUE.gpu("h100-80gb"), workload).phases[-1].parts
    predicted = max(part.total_bytes - part.bytes_of("margin") for part in parts)
    assert predicted == pytest.approx(row["peak_bytes"], rel=0.02)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"measured_bytes": 0}, "`measured_bytes of row 1` is 0"),
        ({"micro_batch": -4}, "`micro_batch of row 1` is -4"),
        ({"rank": 1.5}, "`rank of row 1` is 1.5"),
        ({"quantization": "int3"}, "`quantization of row 1` is 'int3'"),
        ({"optimizer": "lion"}, "`optimizer of row 1` is 'lion'"),
        ({"what": "average"}, "`what of row 1` is 'average'"),
        ({"gradient_checkpointing": "on"}, "`gradient_checkpointing of row 1` is 'on'"),
    ],
)
def test_a_row_that_cannot_be_read_is_named(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        compare_published([{**PUBLISHED[1], **change}], CATALOGUE)


def test_missing_fields_models_and_rows_are_named() -> None:
    without = {key: value for key, value in PUBLISHED[0].items() if key != "rank"}
    with pytest.raises(InvalidInput, match="`rank of row 2` is None, which is missing"):
        compare_published([PUBLISHED[0], without], CATALOGUE)
    with pytest.raises(NotFound, match="`model` is 'nobody/nothing'"):
        compare_published([{**PUBLISHED[0], "model": "nobody/nothing"}], CATALOGUE)
    with pytest.raises(InvalidInput, match="`rows`"):
        compare_published([], CATALOGUE)
    with pytest.raises(InvalidInput, match="of row 1`"):
        compare_published([7], CATALOGUE)  # type: ignore[list-item]
