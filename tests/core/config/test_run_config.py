"""RunConfig: closed, frozen, round trip, and one sentence for each mistake."""

import json

import pytest
from pydantic import ValidationError

from core.config import RunConfig, make_config
from core.config.run_config import ALIASES, parse_assignments
from core.config.upgrade import as_stored, read_stored
from core.errors import InvalidInput

BASE = {"model": "smollm2-135m", "recipe": "addition", "rank": 16}


def test_round_trip_through_json() -> None:
    config = make_config({**BASE, "beta": 0.04, "reward_weights": {"format": 0.5}})
    assert read_stored(as_stored(config)) == config
    assert json.loads(as_stored(config))["beta"] == 0.04


def test_is_frozen() -> None:
    with pytest.raises(ValidationError):
        make_config(BASE).rank = 8  # type: ignore[misc]


@pytest.mark.parametrize(
    ("values", "field", "remedy"),
    [
        ({"rank": 24}, "rank", "choose 16 or 32"),
        ({"rank": 0}, "rank", "greater than or equal to 1"),
        ({"rank": 16, "max_lora_rank": 8}, "max_lora_rank", "leave it empty"),
        ({"group_size": 1}, "group_size", "greater than or equal to 2"),
        ({"generation_batch_size": 30}, "group_size", "choose a divisor"),
        ({"per_device_train_batch_size": 12}, "per_device_train_batch_size", "8, 16 and 32"),
        ({"steps": -1}, "steps", "greater than or equal to 1"),
        ({"temperature": 0}, "temperature", "greater than 0"),
        ({"learning_rate": "fast"}, "learning_rate", "number"),
        ({"learning_rate": float("nan")}, "learning_rate", "finite"),
        ({"gpu_memory_utilization": 1.2}, "gpu_memory_utilization", "less than or equal to 0.98"),
        ({"quantization": "int3"}, "quantization", "'none' or 'nf4'"),
        ({"fast_inference": "maybe"}, "fast_inference", "'auto', 'on'"),
        ({"no_such_field": 1}, "no_such_field", "use one of"),
        ({"target_modules": []}, "target_modules", "at least 1"),
        ({"target_modules": ["os.system('x')"]}, "target_modules.0", "pattern"),
    ],
)
def test_mistakes_name_field_value_and_remedy(values: dict[str, object], field: str, remedy: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        make_config({**BASE, **values})
    assert caught.value.field == field
    assert remedy in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_field_is_named() -> None:
    with pytest.raises(InvalidInput, match="`model`"):
        make_config({"recipe": "addition"})


def test_any_rank_without_the_engine() -> None:
    assert make_config({**BASE, "rank": 24, "fast_inference": "off"}).rank == 24


def test_library_names_are_understood() -> None:
    config = make_config({**BASE, "num_generations": 4, "max_completion_length": 20, "generation_batch_size": 8})
    assert (config.group_size, config.completion_tokens, config.prompts_per_step) == (4, 20, 2)
    assert set(ALIASES.values()) <= set(RunConfig.model_fields)


def test_every_field_is_explained() -> None:
    assert all(field.description for field in RunConfig.model_fields.values())


def test_assignments() -> None:
    assert parse_assignments(["beta=0.04", "dataset=/tmp/x", 'target_modules=["q_proj"]']) == {
        "beta": 0.04,
        "dataset": "/tmp/x",
        "target_modules": ["q_proj"],
    }
    with pytest.raises(InvalidInput, match="KEY=VALUE"):
        parse_assignments(["beta"])
