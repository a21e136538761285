"""Base weights, tokenizer and LoRA adapter, through transformers and PEFT."""

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig, PreTrainedTokenizerBase

from core.config import RunConfig
from core.errors import InvalidInput
from core.models.locate import ModelSource, fetch_hub_file
from core.worker.dtype import compute_dtype
from core.worker.loading.builtin import convert_builtin
from core.worker.upstream.bitsandbytes import keep_layout
from core.worker.upstream.peft import keep_input_dtype

# Weights as safetensors only; nothing that could run code when it is opened.
HUB_FILES = ("*.safetensors", "*.safetensors.index.json", "*.json", "*.model", "*.jinja", "tokenizer*", "merges.txt")
# For a model without a chat template: the messages, one after the other.
PLAIN_TEMPLATE = "{% for message in messages %}{{ message['content'] }}\n{% endfor %}"


def fetch_folder(source: ModelSource) -> str:
    """A folder with the model's files, made or downloaded if it is not there yet."""
    if source.kind == "builtin":
        assert source.known is not None
        assert source.known.builtin is not None
        assert source.folder is not None
        return str(convert_builtin(source.known.builtin, source.folder))
    if source.kind == "folder":
        return str(source.folder)
    from huggingface_hub import snapshot_download

    fetch_hub_file(source.hub_id, "config.json")  # refuses in a sentence what the download refuses in a traceback

    return str(snapshot_download(source.hub_id, allow_patterns=list(HUB_FILES)))


def load_tokenizer(folder: str) -> PreTrainedTokenizerBase:
    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    if tokenizer.chat_template is None:
        tokenizer.chat_template = PLAIN_TEMPLATE
    return tokenizer


def load_base(folder: str, config: RunConfig, device: torch.device) -> torch.nn.Module:
    """The base model in what the device computes in, its linear layers in NF4 (double-quantised, as in QLoRA) when the
    config says so.
    """
    quantization, dtype = None, compute_dtype(device)
    if config.quantization == "nf4":
        quantization = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype,
        )
    model: torch.nn.Module = AutoModelForCausalLM.from_pretrained(
        folder,
        dtype=dtype,
        quantization_config=quantization,
        device_map={"": device},
        attn_implementation="sdpa",
        use_safetensors=True,
        trust_remote_code=False,
    )
    keep_layout(model)
    return model


def attach_adapter(base: torch.nn.Module, config: RunConfig) -> PeftModel:
    """The policy: the base model with a fresh LoRA adapter in fp32 (B is zero, so it starts equal to the base).

    Raises InvalidInput when the model has none of the target modules.
    """
    torch.manual_seed(config.seed)
    present = {name.rsplit(".", 1)[-1] for name, _ in base.named_modules()}
    missing = [module for module in config.target_modules if module not in present]
    if missing:
        raise InvalidInput(
            "target_modules", ", ".join(missing), "which this model does not have", "name linear layers it has"
        )
    for parameter in base.parameters():
        parameter.requires_grad_(False)
    lora = LoraConfig(
        r=config.rank,
        lora_alpha=config.lora_alpha,
        lora_dropout=0.0,
        target_modules=list(config.target_modules),
        task_type="CAUSAL_LM",
    )
    policy = get_peft_model(base, lora)
    assert isinstance(policy, PeftModel)
    keep_input_dtype(policy)
    return policy
