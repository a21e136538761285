"""A plan: its lines, phases and modes, its verdict, and its speed."""

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from core.catalogue import load_catalogue
from core.documents import plan_json
from core.planner import NAMES, Geometry, MemoryPlan, Workload, geometry_from_config, plan
from core.units import GIB

CATALOGUE = load_catalogue()
BATCH = Workload(prompts_per_step=8, per_device_train_batch_size=8)


def shape(alias: str) -> Geometry:
    return geometry_from_config(CATALOGUE.find_model(alias).geometry, alias)


def planned(workload: Workload, alias: str = "qwen2.5-3b", gpu: str = "a100-80gb") -> MemoryPlan:
    return plan(shape(alias), CATALOGUE.gpu(gpu), workload, alias)


def line(of: MemoryPlan, name: str, phase: str = "update") -> int:
    return next(p for p in of.phases if p.name == phase).bytes_of(name)


@pytest.mark.parametrize(("gpu", "tokens"), [("a100-80gb", 8192), ("rtx-4090", 8192), ("h100-80gb", 16_384)])
def test_large_gpus_are_profiled_with_larger_batches_of_prompts(gpu: str, tokens: int) -> None:
    """vLLM's own defaults, EngineArgs.get_batch_defaults."""
    workload = replace(BATCH, max_num_seqs=64, gpu_memory_utilization=0.8)
    [overhead] = [each for each in planned(workload, gpu=gpu).phases[0].lines if each.name == "engine overhead"]
    assert f"a batch of {tokens:,} prompt tokens" in overhead.formula


def test_every_line_has_a_known_name_a_formula_and_a_source_in_the_fixed_order() -> None:
    for workload in (BATCH, replace(BATCH, fast_inference="off"), replace(BATCH, adapter_sync="merged")):
        for phase in planned(workload).phases:
            names = [line.name for line in phase.lines]
            assert names == sorted(names, key=NAMES.index)
            assert len(set(names)) == len(names)
            assert all(line.bytes > 0 and line.formula and line.source for line in phase.lines)


def test_the_json_has_the_agreed_form() -> None:
    shown = plan_json(planned(BATCH))
    assert list(shown) == [
        "model", "parameters", "gpu", "capacity_bytes", "phases",
        "peak_bytes", "peak_phase", "fits", "kv_cache", "advice",
    ]  # fmt: skip
    assert list(shown["phases"]) == ["load", "rollout", "sync", "update"]  # type: ignore[call-overload]
    for phase in shown["phases"].values():  # type: ignore[attr-defined]
        assert phase["total_bytes"] == sum(entry["bytes"] for entry in phase["lines"])
        assert all(set(entry) >= {"name", "bytes", "formula"} for entry in phase["lines"])
    assert list(shown["phases"]["update"]["parts"]) == ["forward", "backward", "optimizer"]  # type: ignore[index]
    assert shown["peak_bytes"] == max(phase["total_bytes"] for phase in shown["phases"].values())  # type: ignore[attr-defined]
    assert set(shown["kv_cache"]) == {"bytes", "block_tokens", "blocks", "tokens", "full_length_sequences"}  # type: ignore[call-overload]
    assert shown["parameters"] == 3_085_938_688
    assert shown["advice"] == []


def test_the_engine_takes_exactly_its_share_of_the_gpu() -> None:
    of = planned(replace(BATCH, gpu_memory_utilization=0.5))
    engine = ("engine weights", "engine overhead", "KV cache", "adapter slots")
    share = sum(line(of, name, "rollout") for name in engine)
    assert share == pytest.approx((81920 - 480) * 1024**2 * 0.5, abs=1)


def test_shared_weights_are_counted_once_and_leave_the_engine_its_share() -> None:
    twice, once = planned(BATCH), planned(replace(BATCH, share_weights=True))
    weights = 2 * 3_085_938_688
    assert line(twice, "base weights") == line(twice, "engine weights") == weights
    assert (line(once, "base weights"), line(once, "engine weights")) == (weights, 0)
    assert twice.peak_bytes - once.peak_bytes == weights
    assert once.kv_cache == twice.kv_cache


def test_a_sleeping_kv_cache_is_gone_in_the_update_alone() -> None:
    asleep = planned(replace(BATCH, sleep_kv_cache=True))
    assert line(asleep, "KV cache") == 0
    assert line(asleep, "KV cache", "rollout") == asleep.kv_cache.bytes > 0


def test_quantised_base_weights() -> None:
    nf4 = planned(replace(BATCH, quantization="nf4"), "llama-2-7b")
    assert line(nf4, "base weights") == round(6_476_005_376 * (0.5 + 1 / 64 + 4 / 16384)) + 262_410_240 * 2
    fp8 = planned(replace(BATCH, engine_dtype="fp8"), "llama-2-7b")
    assert line(fp8, "engine weights") == 6_476_005_376 + 262_410_240 * 2
    assert "packed experts" in planned(replace(BATCH, quantization="nf4"), "qwen3-30b-a3b").phases[0].lines[0].formula


def test_adapter_gradients_and_states_by_type() -> None:
    fp32, bf16 = planned(BATCH), planned(replace(BATCH, adapter_dtype="bf16"))
    eight = planned(replace(BATCH, optim="adamw_8bit"))
    count = line(fp32, "gradients") // 4
    assert [line(fp32, name) for name in ("adapter", "gradients", "optimizer states")] == [
        4 * count,
        4 * count,
        8 * count,
    ]
    assert [line(bf16, name) for name in ("adapter", "gradients", "optimizer states")] == [
        2 * count,
        2 * count,
        4 * count,
    ]
    assert line(eight, "optimizer states") == round(count * (2 + 8 / 256))
    assert line(fp32, "optimizer states", "load") == 0


def test_merged_sync_needs_no_slot_and_one_matrix_at_a_time() -> None:
    slot, merged = planned(BATCH), planned(replace(BATCH, adapter_sync="merged"))
    assert line(slot, "adapter slots") > 0
    assert line(merged, "adapter slots") == 0
    assert line(merged, "adapter", "sync") - line(merged, "adapter") == 2048 * 11008 * (4 + 4 + 2)
    assert line(slot, "adapter", "sync") - line(slot, "adapter") == line(slot, "adapter") // 2


@pytest.mark.parametrize(
    ("cheaper", "dearer"),
    [
        ({"gradient_checkpointing": True}, {"gradient_checkpointing": False}),
        ({"head": "fused"}, {"head": "plain"}),
        ({"packed": True, "prompt_tokens": 2000}, {"packed": False, "prompt_tokens": 2000}),
        ({"per_device_train_batch_size": 8}, {"per_device_train_batch_size": 16}),
        ({"completion_tokens": 256}, {"completion_tokens": 512}),
        ({"rank": 32}, {"rank": 64}),
        ({"padded": False}, {"padded": True}),
        ({"quantization": "nf4"}, {"quantization": "none"}),
        ({"gpu_memory_utilization": 0.4}, {"gpu_memory_utilization": 0.5}),
    ],
    ids=lambda values: next(iter(values)),
)
def test_what_costs_less_memory(cheaper: dict[str, object], dearer: dict[str, object]) -> None:
    assert planned(replace(BATCH, **cheaper)).peak_bytes < planned(replace(BATCH, **dearer)).peak_bytes  # type: ignore[arg-type]


def on_cpu(workload: Workload, bf16: bool) -> MemoryPlan:
    return plan(shape("smollm2-135m"), replace(CATALOGUE.gpu("cpu"), bf16=bf16), workload)


@pytest.mark.parametrize(("bf16", "blocks"), [(True, 4 * 728), (False, 2 * 728)])
def test_the_cpu_plans_ram_in_whole_gib_of_kv_cache(bf16: bool, blocks: int) -> None:
    workload = Workload(rank=16, adapter_sync="merged", head="chunked", packed=True, completion_tokens=64)
    of = on_cpu(workload, bf16)
    assert of.kv_cache.bytes % GIB == 0
    assert of.kv_cache.block_tokens == 32
    assert of.kv_cache.full_length_sequences >= workload.batch_size
    assert on_cpu(replace(workload, kv_cache_bytes=2 * GIB), bf16).kv_cache.blocks == blocks


def test_a_cpu_without_bf16_takes_four_bytes_a_number() -> None:
    workload = Workload(rank=16, adapter_sync="merged", head="frozen", packed=True, kv_cache_bytes=GIB)
    for values in ({}, {"quantization": "nf4"}, {"fast_inference": "off"}, {"adapter_sync": "slot"}):
        half, full = (on_cpu(replace(workload, **values), bf16) for bf16 in (True, False))  # type: ignore[arg-type]
        for name in ("engine weights", "adapter slots"):
            assert line(full, name) == 2 * line(half, name)
        assert line(full, "optimizer states") == line(half, "optimizer states")
        assert full.peak_bytes > half.peak_bytes
        if "quantization" in values:
            rest = 28_346_688  # embeddings and norms, which stay as they are beside four-bit layers
            assert line(full, "base weights") - line(half, "base weights") == 2 * rest
        else:
            assert line(full, "base weights") == 2 * line(half, "base weights")


def test_without_an_engine_generate_keeps_every_completion() -> None:
    of = planned(replace(BATCH, fast_inference="off"))
    assert line(of, "KV cache", "rollout") == 64 * 768 * 2 * 256 * 2 * 37
    assert line(of, "KV cache") == line(of, "engine weights") == line(of, "engine overhead") == 0


def test_the_verdict() -> None:
    assert planned(BATCH).sentence.startswith("Fits: ")
    tight = planned(BATCH, "qwen2.5-7b", "rtx-4090")
    assert not tight.fits
    assert "update phase needs" in tight.sentence
    assert tight.peak_phase == "update"
    starved = planned(replace(BATCH, gpu_memory_utilization=0.02), "smollm2-135m", "t4")
    assert starved.peak_bytes < starved.capacity_bytes
    assert not starved.fits
    assert "one sequence of 768 tokens needs" in starved.sentence


def test_a_plan_takes_less_than_two_milliseconds() -> None:
    geometry, gpu = shape("gemma-3-27b"), CATALOGUE.gpu("h100-80gb")
    best = min(_seconds(lambda: plan(geometry, gpu, BATCH)) for _ in range(20))
    assert best < 0.002


def test_planning_loads_no_torch() -> None:
    code = "import sys, core.planner; sys.exit(any(m in sys.modules for m in ('torch', 'transformers', 'vllm')))"
    root = Path(__file__).resolve().parents[3]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0


def _seconds(work) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
