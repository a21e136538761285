"""Parameter counts: the formula, the published figure and the model itself, built where weights take no memory."""

import importlib.util
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from core.catalogue import load_catalogue
from core.planner import ARCHITECTURES, geometry_from_config

COUNTER = Path(__file__).with_name("count_on_meta.py")
MODELS = load_catalogue().models
needs_transformers = pytest.mark.skipif(
    importlib.util.find_spec("transformers") is None, reason="transformers is not installed"
)


def counted(configs: list[dict[str, Any]]) -> list[int]:
    done = subprocess.run(
        [sys.executable, str(COUNTER)], input=json.dumps(configs), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    counts: list[int] = json.loads(done.stdout)
    return counts


def random_config(kind: str, rng: random.Random) -> dict[str, Any]:
    """A small config with every part that its architecture can have, each present by chance."""
    heads = rng.choice([4, 8])
    config: dict[str, Any] = {
        "model_type": kind,
        "hidden_size": heads * rng.choice([8, 16, 24]),
        "intermediate_size": rng.choice([48, 100]),
        "num_hidden_layers": rng.randint(1, 7),
        "num_attention_heads": heads,
        "num_key_value_heads": rng.choice([1, 2, 4]),
        "vocab_size": rng.randint(50, 500),
        "max_position_embeddings": 512,
        "pad_token_id": 0,
    }
    for flag in ARCHITECTURES[kind].flags:
        config[flag] = bool(rng.getrandbits(1))
    if rng.random() < 0.7:
        config["tie_word_embeddings"] = bool(rng.getrandbits(1))
    if kind != "qwen2" and rng.random() < 0.7:
        config["head_dim"] = rng.choice([16, 20, 32])
    if kind in ("gemma2", "gemma3_text", "mistral"):
        config["sliding_window"] = rng.choice([16, 64])
    if kind == "mixtral":
        config |= {"num_local_experts": rng.choice([2, 5]), "num_experts_per_tok": 2}
    if kind == "qwen3_moe":
        config |= {"num_experts": rng.choice([3, 6]), "num_experts_per_tok": 2, "moe_intermediate_size": 24}
        config |= {"decoder_sparse_step": rng.choice([1, 2]), "mlp_only_layers": rng.choice([[], [0]])}
    return config


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.alias)
def test_the_formula_gives_the_published_count(model) -> None:
    assert geometry_from_config(model.geometry, model.alias).parameters == model.parameters


@needs_transformers
def test_every_catalogue_model_counts_the_same_when_built() -> None:
    shapes = {json.dumps(dict(model.geometry), sort_keys=True): model for model in MODELS}
    built = counted([dict(model.geometry) for model in shapes.values()])
    assert built == [model.parameters for model in shapes.values()]


@needs_transformers
def test_random_configs_of_every_architecture_count_the_same_when_built() -> None:
    rng = random.Random(3)
    configs = [random_config(kind, rng) for kind in ARCHITECTURES for _ in range(5)]
    formula = [geometry_from_config(config, "a random config").parameters for config in configs]
    assert formula == counted(configs)
