"""A config, a workload and the plan command have one name and one word for a thing; the command takes its old ones."""

from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest

from core.catalogue import load_catalogue
from core.config import RunConfig
from core.errors import InvalidInput
from core.planner import Workload
from core.planner.advice import LEVERS
from core.planner.aliases import ALIASES, current, former
from core.planning import remedies
from core.planning.workload import SETTINGS, make_workload, workload_of
from core.tasks.registry import compose

# What a workload says that no config does: what a worker chooses by itself, and bytes in place of whole GiB.
OF_THE_WORKER = {
    "adapter_dtype", "fp32_inputs", "head", "packed", "padded", "engine_dtype", "kv_cache_bytes", "max_num_seqs",
    "max_num_batched_tokens",
}  # fmt: skip

OLD: list[tuple[str, Any, str, Any]] = [
    ("kv_asleep_in_update", True, "sleep_kv_cache", True),
    ("kv_asleep_in_update", False, "sleep_kv_cache", False),
    ("adapter_sync", "lora", "adapter_sync", "slot"),
    ("optim", "adamw", "optim", "adamw_torch"),
    ("fast_inference", True, "fast_inference", "on"),
    ("fast_inference", False, "fast_inference", "off"),
]


def test_a_workload_has_the_names_and_words_of_a_config() -> None:
    assert set(SETTINGS) - set(RunConfig.model_fields) == OF_THE_WORKER
    ours, theirs = get_type_hints(Workload), get_type_hints(RunConfig)
    for name in set(SETTINGS) & set(RunConfig.model_fields):
        if get_origin(theirs[name]) is Literal:
            assert set(get_args(ours[name])) <= set(get_args(theirs[name])), name
        else:
            assert ours[name] is theirs[name] or get_origin(ours[name]) is get_origin(theirs[name]), name


@pytest.mark.parametrize(("old_name", "old_value", "name", "value"), OLD)
def test_the_command_takes_its_old_words(old_name: str, old_value: object, name: str, value: object) -> None:
    assert make_workload({old_name: old_value}) == make_workload({name: value})
    assert getattr(make_workload({old_name: old_value}), name) == value
    assert current(old_name, old_value) == (name, value)
    assert former(name, value) == (old_name, old_value)


def test_every_alias_is_among_these_and_ends_at_a_setting() -> None:
    assert set(ALIASES) == {old_name for old_name, *_ in OLD}
    assert all(name in SETTINGS for name, _ in ALIASES.values())
    assert all(lever in SETTINGS for lever in (*LEVERS, *remedies.LEVERS))


@pytest.mark.parametrize("value", [1, 0, "true", None, ["on"]])
def test_what_is_no_old_word_is_refused_as_it_was(value: object) -> None:
    with pytest.raises(InvalidInput, match=r"`fast_inference` is .*which is not a choice"):
        make_workload({"fast_inference": value})


def test_a_setting_that_does_not_exist_is_named_as_it_was_given() -> None:
    with pytest.raises(InvalidInput, match="`kv_asleep` is True, a setting the planner does not have"):
        make_workload({"kv_asleep": True})


def test_what_a_config_leaves_open_is_chosen_for_the_device() -> None:
    catalogue = load_catalogue()
    asked = {"fast_inference": "off", "kv_cache_gib": 3}
    cpu, gpu = (
        workload_of(compose("addition", "smollm2-135m", name, asked), catalogue.gpu(name)) for name in ("cpu", "l4")
    )
    assert (cpu.adapter_sync, gpu.adapter_sync) == ("merged", "slot")
    assert (cpu.kv_cache_bytes, gpu.kv_cache_bytes) == (3 * 2**30, None)
    assert (cpu.has_engine, cpu.max_lora_rank) == (False, None)
    assert (cpu.head, cpu.packed, cpu.padded) == ("frozen", True, True)
