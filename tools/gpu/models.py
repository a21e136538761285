"""Models made on the spot: real geometries with random weights. Memory and speed do not depend on what weights say."""

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, BitsAndBytesConfig
from transformers.quantizers import AutoHfQuantizer

from core.catalogue import load_catalogue
from core.worker.dtype import compute_dtype

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
DTYPE = compute_dtype(DEVICE)
ARCHITECTURES = {"qwen2": "Qwen2ForCausalLM", "llama": "LlamaForCausalLM", "qwen3": "Qwen3ForCausalLM"}
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja")


def model_folder(alias: str, root: Path, tokenizer: Path) -> Path:
    """A folder with the config of a model of the catalogue and a small tokenizer; no weights."""
    folder = root / alias
    if not folder.exists():
        geometry = dict(load_catalogue().find_model(alias).geometry)
        architecture = ARCHITECTURES[str(geometry["model_type"])]
        folder.mkdir(parents=True)
        settings = {**geometry, "architectures": [architecture], "dtype": "bfloat16", "eos_token_id": 2}
        (folder / "config.json").write_text(json.dumps(settings), encoding="utf-8")
        for name in TOKENIZER_FILES:
            if (tokenizer / name).exists():
                shutil.copy(tokenizer / name, folder / name)
    return folder


def random_base(folder: Path, quantization: str) -> torch.nn.Module:
    """The model of a folder on the GPU with random weights, in bf16 or its linear layers in NF4."""
    config = AutoConfig.from_pretrained(folder)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, dtype=DTYPE, attn_implementation="sdpa")
    if quantization == "nf4":
        for path, module in list(model.named_modules()):
            if isinstance(module, torch.nn.Linear) and ".layers." in path:
                parent, _, own = path.rpartition(".")
                setattr(model.get_submodule(parent), own, _nf4(module))
        model.is_loaded_in_4bit = model.is_quantized = True
        model.hf_quantizer = AutoHfQuantizer.from_config(BitsAndBytesConfig(load_in_4bit=True), pre_quantized=False)
        model.quantization_method = model.hf_quantizer.quantization_config.quant_method
        model.config.quantization_config = model.hf_quantizer.quantization_config
    for path, parameter in list(model.named_parameters()):
        if parameter.is_meta:
            parent, _, own = path.rpartition(".")
            value = torch.randn(parameter.shape, device=DEVICE, dtype=DTYPE).mul_(0.02)
            value += 1.0 if parameter.dim() == 1 and own == "weight" else 0.0
            setattr(model.get_submodule(parent), own, torch.nn.Parameter(value, requires_grad=False))
    model.tie_weights()
    model.model.rotary_emb = type(model.model.rotary_emb)(config=config).to(DEVICE)
    model.name_or_path = str(folder)
    return model


def save_random(folder: Path) -> None:
    """Weights beside the config, for programs that insist on reading files."""
    if not (folder / "model.safetensors.index.json").exists() and not (folder / "model.safetensors").exists():
        random_base(folder, "none").save_pretrained(folder)


def _nf4(module: Any) -> torch.nn.Module:
    import bitsandbytes

    layer = bitsandbytes.nn.Linear4bit(
        module.in_features,
        module.out_features,
        bias=False,
        compute_dtype=DTYPE,
        compress_statistics=True,
        quant_type="nf4",
        device="meta",
    )
    weight = torch.randn(module.out_features, module.in_features, device=DEVICE, dtype=DTYPE).mul_(0.02)
    layer.weight = bitsandbytes.nn.Params4bit(
        weight, requires_grad=False, quant_type="nf4", compress_statistics=True, module=layer
    ).to(DEVICE)
    if module.bias is not None:
        layer.bias = torch.nn.Parameter(torch.zeros(module.out_features, device=DEVICE, dtype=DTYPE), False)
    return layer
