"""KV blocks against figures that vLLM 0.31 printed. tests/core/planner/test_engine_blocks.py asks a live engine."""

import pytest

from core.catalogue import load_catalogue
from core.planner import Geometry, geometry_from_config, kv_cache
from core.planner.kv_cache import kv_bytes_for
from core.units import GIB

GEMMA_LIKE = {
    "model_type": "gemma3_text",
    "hidden_size": 256,
    "intermediate_size": 512,
    "num_attention_heads": 4,
    "num_key_value_heads": 1,
    "head_dim": 256,
    "vocab_size": 512,
    "sliding_window": 512,
}


def shape(alias: str) -> Geometry:
    return geometry_from_config(load_catalogue().find_model(alias).geometry, alias)


def cpu_cache(geometry: Geometry, nbytes: int, sequence_tokens: int):
    return kv_cache(geometry, nbytes, block_tokens=128, sequence_tokens=sequence_tokens, in_flight_tokens=4096)


def test_a_model_whose_layers_are_alike() -> None:
    cache = cpu_cache(shape("smollm2-135m"), 2 * GIB, 1024)
    assert (cache.blocks, cache.tokens, cache.full_length_sequences) == (728, 93_184, 91)


@pytest.mark.parametrize(
    ("layers", "sequence_tokens", "blocks", "tokens"),
    [(6, 2048, 8192, 166_111), (26, 8192, 2048, 58_661)],
)
def test_models_that_mix_full_and_sliding_layers(layers: int, sequence_tokens: int, blocks: int, tokens: int) -> None:
    geometry = geometry_from_config({**GEMMA_LIKE, "num_hidden_layers": layers}, "a small Gemma 3")
    cache = cpu_cache(geometry, GIB, sequence_tokens)
    assert (cache.blocks, cache.tokens) == (blocks, tokens)


def test_a_model_whose_layers_all_slide() -> None:
    mistral = {**GEMMA_LIKE, "model_type": "mistral", "num_hidden_layers": 4, "head_dim": 64, "num_key_value_heads": 2}
    mistral |= {"sliding_window": 1024, "max_position_embeddings": 8192}
    geometry = geometry_from_config(mistral, "a small Mistral")
    cache = cpu_cache(geometry, GIB, 8192)
    assert (cache.blocks, cache.tokens) == (4096, 818_400)


def test_bytes_for_a_number_of_sequences_hold_exactly_them() -> None:
    for alias in ("qwen2.5-7b", "gemma-3-12b", "mistral-7b-v0.1"):
        sizes = {"block_tokens": 16, "sequence_tokens": 1500, "in_flight_tokens": 16_384}
        nbytes = kv_bytes_for(shape(alias), 9, **sizes)
        cache = kv_cache(shape(alias), nbytes, **sizes)
        assert cache.full_length_sequences == 9
        assert kv_cache(shape(alias), nbytes - 2 * cache.block_bytes, **sizes).full_length_sequences == 8


def test_no_bytes_are_an_empty_cache_that_does_not_start() -> None:
    cache = cpu_cache(shape("smollm2-135m"), -5, 1024)
    assert (cache.bytes, cache.blocks, cache.tokens, cache.starts) == (0, 0, 0, False)


def test_an_8_bit_cache_holds_twice_the_tokens() -> None:
    sizes = {"block_tokens": 16, "sequence_tokens": 1024, "in_flight_tokens": 1024}
    half = kv_cache(shape("llama-3.1-8b"), GIB, element_bytes=1, **sizes)
    assert half.blocks == 2 * kv_cache(shape("llama-3.1-8b"), GIB, **sizes).blocks
