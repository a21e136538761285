"""The planner's KV blocks and adapter slots against the engine's own, on tiny random models of five architectures."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from core.catalogue import load_catalogue
from core.planner import Geometry, Workload, geometry_from_config, kv_cache
from core.planner.constants import CPU_BLOCK_TOKENS
from core.planner.engine import adapter_slots

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]
STARTER = Path(__file__).with_name("start_engines.py")
ROOT = Path(__file__).resolve().parents[3]
CPU_BLOCK = CPU_BLOCK_TOKENS
Case = dict[str, Any]


def shape(kind: str, rng: random.Random) -> dict[str, Any]:
    """A random small model of one architecture, in fields of config.json."""
    kv_heads = rng.choice([1, 2, 4])
    config = {
        "model_type": kind,
        "hidden_size": 64 * rng.randint(1, 4),
        "intermediate_size": 128,
        "num_hidden_layers": rng.randint(2, 13),
        "num_attention_heads": 4,
        "num_key_value_heads": kv_heads,
        "head_dim": rng.choice([32, 64, 80, 128, 256]),
        "vocab_size": 256,
        "max_position_embeddings": 8192,
        "tie_word_embeddings": bool(rng.getrandbits(1)),
    }
    if kind in ("qwen2", "qwen3"):
        config["use_sliding_window"] = False
    if kind == "qwen2":  # its configs have no head_dim
        config["head_dim"] = config["hidden_size"] // 2
        config["num_attention_heads"] = 2
        config["num_key_value_heads"] = rng.choice([1, 2])
    if kind in ("gemma3_text", "mistral"):
        config["sliding_window"] = rng.choice([256, 512, 1000])
    if kind == "gemma3_text":
        layers = config["num_hidden_layers"]
        every = rng.choice([2, 3, 6])
        config["layer_types"] = [
            "full_attention" if (layer + 1) % every == 0 else "sliding_attention" for layer in range(layers)
        ]
    return config


def engine(config: Mapping[str, Any], rng: random.Random, lora: bool = False) -> dict[str, Any]:
    """Random engine arguments with a KV cache of a few dozen MiB."""
    arguments: dict[str, Any] = {
        "max_model_len": rng.randint(200, 5000),
        "max_num_batched_tokens": rng.choice([512, 1000, 4096]),
        "max_num_seqs": 16,
        "block_size": CPU_BLOCK,
        "kv_cache_memory_bytes": rng.randint(200_000_000, 400_000_000),
    }
    if lora:
        arguments |= {"enable_lora": True, "max_loras": 1, "max_lora_rank": rng.choice([8, 16, 64])}
    return arguments


def cases() -> list[Case]:
    rng = random.Random(7)
    kinds = ["llama", "qwen2", "qwen3", "gemma3_text", "mistral"]
    found = []
    for number in range(15):
        config = shape(kinds[number % len(kinds)], rng)
        found.append({"config": config, "engine": engine(config, rng, lora=5 <= number < 9)})
    published = {"model_type": "gemma3_text", "hidden_size": 64, "num_hidden_layers": 26, "num_key_value_heads": 1}
    base = {**shape("gemma3_text", rng), **published, "head_dim": 256, "sliding_window": 512}
    base["layer_types"] = ["sliding_attention", *["sliding_attention"] * 4, "full_attention"] * 4 + [
        "sliding_attention"
    ] * 2
    return [*found, {"config": base, "engine": engine(base, rng)}]


def planned(case: Case, nbytes: int | None = None) -> Any:
    arguments = case["engine"]
    return kv_cache(
        geometry_of(case),
        arguments["kv_cache_memory_bytes"] if nbytes is None else nbytes,
        block_tokens=CPU_BLOCK,
        sequence_tokens=arguments["max_model_len"],
        in_flight_tokens=arguments["max_num_batched_tokens"],
    )


def geometry_of(case: Case) -> Geometry:
    return geometry_from_config(case["config"], "a random model")


def start(batch: list[Case]) -> list[dict[str, Any]]:
    """Start engines in one process of their own."""
    done = subprocess.run(
        [sys.executable, str(STARTER)],
        input=json.dumps(batch),
        capture_output=True,
        text=True,
        timeout=400,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    lines = [line.removeprefix("RESULT ") for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    assert len(lines) == len(batch), done.stderr[-3000:]
    return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def started() -> list[tuple[Case, dict[str, Any]]]:
    pytest.importorskip("vllm", reason="the engine is not installed")
    batch = cases()
    return list(zip(batch, start(batch), strict=True))


def test_blocks_and_tokens_are_the_engines_own(started: list[tuple[Case, dict[str, Any]]]) -> None:
    assert len(started) >= 12
    assert len({case["config"]["model_type"] for case, _ in started}) == 5
    for case, engine_says in started:
        plan = planned(case)
        assert engine_says["block_tokens"] == CPU_BLOCK
        assert engine_says["in_flight_tokens"] == case["engine"]["max_num_batched_tokens"]
        assert (plan.blocks, plan.tokens) == (engine_says["blocks"], engine_says["tokens"]), case


def test_some_models_really_had_several_groups(started: list[tuple[Case, dict[str, Any]]]) -> None:
    assert sum(len(engine_says["groups"]) > 1 for _, engine_says in started) >= 3


def test_adapter_slots_are_the_engines_own(started: list[tuple[Case, dict[str, Any]]]) -> None:
    with_lora = [(case, says) for case, says in started if "max_lora_rank" in case["engine"]]
    assert len(with_lora) >= 4
    in_bf16 = load_catalogue().gpu("l4")
    for case, engine_says in with_lora:
        rank = case["engine"]["max_lora_rank"]
        workload = Workload(rank=rank, max_lora_rank=rank)
        assert adapter_slots(geometry_of(case), in_bf16, workload).bytes == engine_says["slot_bytes"], case


def test_an_engine_starts_exactly_when_the_plan_says_so() -> None:
    pytest.importorskip("vllm", reason="the engine is not installed")
    chosen = [case for case in cases() if case["config"]["model_type"] in ("llama", "gemma3_text")][:2]
    tight = []
    for case in chosen:
        needed = planned(case).needed_bytes
        for nbytes in (needed, needed - 1):
            tight.append({**case, "engine": {**case["engine"], "kv_cache_memory_bytes": nbytes}})
    for case, engine_says in zip(tight, start(tight), strict=True):
        assert planned(case).starts == ("refused" not in engine_says), engine_says
