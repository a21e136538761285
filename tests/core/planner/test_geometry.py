"""Reading config.json: what is understood is exact, what is not is refused by name."""

from typing import Any

import pytest

from core.errors import InvalidInput
from core.planner import geometry_from_config

LLAMA = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 12,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 100,
    "max_position_embeddings": 512,
}


def read(**changes: Any) -> Any:
    return geometry_from_config({**LLAMA, **changes}, "config.json of a test")


def test_a_missing_head_dim_follows_from_the_heads_and_a_given_one_does_not() -> None:
    assert read().head_dim == 16
    assert read(head_dim=40).q_size == 160
    assert read(model_type="qwen3").head_dim == 128
    assert read(num_key_value_heads=None).num_key_value_heads == 4


def test_a_multimodal_config_is_read_down_to_its_text_part() -> None:
    text = {"model_type": "gemma3_text", "hidden_size": 2560, "intermediate_size": 10240, "num_hidden_layers": 34}
    whole = {"model_type": "gemma3", "text_config": {**text, "sliding_window": 1024}, "vision_config": {"x": 1}}
    geometry = geometry_from_config(whole, "config.json of gemma-3-4b-it")
    assert (geometry.vocab_size, geometry.num_attention_heads, geometry.head_dim) == (262_208, 8, 256)
    assert geometry.parameters == 3_880_263_168
    assert (geometry.sliding_window, geometry.sliding_layers) == (1024, 29)


def test_sliding_layers_by_architecture() -> None:
    assert read(sliding_window=64).sliding_layers == 0  # a Llama has none
    assert read(model_type="mistral", sliding_window=64).sliding_layers == 12
    assert read(model_type="mistral", sliding_window=None).sliding_layers == 0
    assert read(model_type="mistral").sliding_window == 4096  # what a config without the field means
    assert read(model_type="gemma2", sliding_window=64).sliding_layers == 6
    assert read(model_type="gemma3_text", sliding_window=64, sliding_window_pattern=4).sliding_layers == 9
    types = ["sliding_attention"] * 5 + ["full_attention"] * 7
    assert read(model_type="gemma3_text", sliding_window=64, layer_types=types).sliding_layers == 5
    assert read(model_type="qwen2", sliding_window=64, use_sliding_window=False).sliding_layers == 0
    assert read(model_type="qwen2", sliding_window=64, use_sliding_window=True).sliding_layers == 12


def test_experts_are_counted_on_sparse_layers_only() -> None:
    moe = {"model_type": "qwen3_moe", "num_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 32}
    assert read(**moe).sparse_layers == 12
    assert read(**moe, decoder_sparse_step=3).sparse_layers == 4
    assert read(**moe, mlp_only_layers=[0, 1]).dense_layers == 2
    assert read(model_type="mixtral", num_local_experts=4).moe_intermediate_size == 128


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model_type": "mamba2"}, "`model_type` is 'mamba2', an architecture of config.json of a test"),
        ({"model_type": None}, "`model_type` is 'None'"),
        ({"hidden_size": None}, "`hidden_size` is None, missing from"),
        ({"hidden_size": -64}, "`hidden_size` is -64"),
        ({"hidden_size": 64.0}, "`hidden_size` is 64.0"),
        ({"num_hidden_layers": 0}, "`num_hidden_layers` is 0"),
        ({"num_hidden_layers": True}, "`num_hidden_layers` is True"),
        ({"vocab_size": 10**12}, "`vocab_size` is 1000000000000"),
        ({"num_key_value_heads": 3}, "`num_key_value_heads` is 3, which does not divide the 4"),
        ({"num_attention_heads": 6}, "`hidden_size` is 64, which 6 attention heads do not divide"),
        ({"tie_word_embeddings": "yes"}, "`tie_word_embeddings` is 'yes'"),
        ({"kv_lora_rank": 512}, "`kv_lora_rank` is 512, a part of"),
        ({"num_experts": 8}, "`num_experts` is 8, a part of"),
        ({"quantization_config": {"quant_method": "awq"}}, "`quantization_config` is .*already quantised"),
        ({"model_type": "gemma2", "sliding_window": 64, "layer_types": ["linear_attention"] * 12}, "`layer_types` is"),
        ({"model_type": "gemma2", "sliding_window": 64, "layer_types": ["full_attention"]}, "`layer_types` is"),
        (
            {"model_type": "qwen2", "sliding_window": 64, "use_sliding_window": True, "max_window_layers": 4},
            "`max_window_layers` is 4",
        ),
    ],
)
def test_what_is_not_understood_is_refused_by_name(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said) as refused:
        read(**changes)
    assert str(refused.value).endswith(".")
    assert "\n" not in str(refused.value)


def test_a_config_must_be_an_object() -> None:
    with pytest.raises(InvalidInput, match="`config` is 'llama'"):
        geometry_from_config("llama", "config.json of a test")  # type: ignore[arg-type]
