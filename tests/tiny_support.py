"""Small random models of many architectures, and a tokenizer that spells everything in bytes."""

from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

SHAPE: dict[str, Any] = {
    "vocab_size": 259,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 1024,
    "pad_token_id": 256,
    "bos_token_id": 257,
    "eos_token_id": 258,
    # Weights of the usual size predict nothing at this width, and then nothing that goes wrong would show.
    "initializer_range": 0.2,
}
# Five architectures whose groups can be packed. The windows are longer than any sequence of the tests.
PACKABLE: dict[str, dict[str, Any]] = {
    "llama": {},
    "qwen2": {},
    "qwen3": {"head_dim": 16},
    "gemma3_text": {"head_dim": 16, "sliding_window": 40, "sliding_window_pattern": 2, "query_pre_attn_scalar": 16},
    "mistral": {"sliding_window": 40},
}
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def tiny_model(architecture: str, **fields: Any) -> Any:
    """A random model in fp32, always the same one for the same arguments."""
    torch.manual_seed(0)
    config = AutoConfig.for_model(architecture, **{**SHAPE, **PACKABLE.get(architecture, {}), **fields})
    return (
        AutoModelForCausalLM.from_config(config, attn_implementation="sdpa" if architecture in PACKABLE else None)
        .float()
        .eval()
    )


def tiny_policy(architecture: str, **fields: Any) -> PeftModel:
    """Such a model with an adapter that does something."""
    policy = get_peft_model(tiny_model(architecture, **fields), LoraConfig(r=4, lora_alpha=8, target_modules=TARGETS))
    assert isinstance(policy, PeftModel)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in policy.named_parameters():
            if "lora_B" in name:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.1)
    return policy


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: place for place, letter in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    made = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<bos>", eos_token="<eos>", padding_side="left"
    )
    made.chat_template = "{% for message in messages %}{{ message['content'] }}\n{% endfor %}"
    return made


def save_tiny(folder: Path, architecture: str = "llama", **fields: Any) -> Path:
    """A local model folder, as somebody would have one."""
    tiny_model(architecture, **fields).to(torch.bfloat16).save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return folder
