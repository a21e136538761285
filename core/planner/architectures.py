"""From a config.json to a Geometry. What is not understood is refused by name, never guessed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from core.errors import InvalidInput
from core.planner.geometry import Geometry

Config = Mapping[str, Any]


@dataclass(frozen=True)
class Architecture:
    """How one `model_type` departs from a plain Llama, and which fields its published configs leave out.

    qkv_bias  queries, keys and values have a bias in every model of this type
    flags     config fields that switch biases on: attention_bias (q, k, v and o), mlp_bias
    window    "none"; "all": every layer slides once sliding_window is set; "pattern": layers alternate;
              "qwen": use_sliding_window decides, from layer max_window_layers on
    experts   the field with the number of experts; empty for a dense model
    """

    qk_norm: bool = False
    norms_per_layer: int = 2
    qkv_bias: bool = False
    flags: tuple[str, ...] = ()
    window: str = "none"
    experts: str = ""
    defaults: Config = field(default_factory=lambda: MappingProxyType({}))


GEMMA = {"head_dim": 256, "tie_word_embeddings": True}
ARCHITECTURES: Mapping[str, Architecture] = {
    "llama": Architecture(flags=("attention_bias", "mlp_bias")),
    "granite": Architecture(flags=("attention_bias", "mlp_bias")),
    "smollm3": Architecture(flags=("attention_bias", "mlp_bias"), defaults={"tie_word_embeddings": True}),
    "mistral": Architecture(window="all", defaults={"num_key_value_heads": 8, "sliding_window": 4096}),
    "mixtral": Architecture(window="all", experts="num_local_experts", defaults={"num_key_value_heads": 8}),
    "qwen2": Architecture(qkv_bias=True, window="qwen"),
    "qwen3": Architecture(qk_norm=True, flags=("attention_bias",), window="qwen", defaults={"head_dim": 128}),
    "qwen3_moe": Architecture(qk_norm=True, flags=("attention_bias",), window="qwen", experts="num_experts"),
    "gemma": Architecture(flags=("attention_bias",), defaults=GEMMA),
    "gemma2": Architecture(
        norms_per_layer=4,
        flags=("attention_bias",),
        window="pattern",
        defaults={**GEMMA, "sliding_window": 4096, "sliding_window_pattern": 2},
    ),
    "gemma3_text": Architecture(
        qk_norm=True,
        norms_per_layer=4,
        flags=("attention_bias",),
        window="pattern",
        # The larger Gemma 3 configs say only what differs from these.
        defaults={
            **GEMMA,
            "vocab_size": 262_208,
            "num_attention_heads": 8,
            "num_key_value_heads": 4,
            "max_position_embeddings": 131_072,
            "sliding_window": 4096,
            "sliding_window_pattern": 6,
        },
    ),
}
# Fields that give a layer a part this planner has no formula for, whatever the model type says.
NOT_UNDERSTOOD = (
    "kv_lora_rank",
    "shared_expert_intermediate_size",
    "n_shared_experts",
    "num_kv_shared_layers",
    "hidden_size_per_layer_input",
    "attention_chunk_size",
    "block_configs",
)
EXPERT_FIELDS = ("num_experts", "num_local_experts", "n_routed_experts")
LARGEST = 10**9  # no field of a real config comes near; catches a count given in the wrong unit


def geometry_from_config(config: Config, where: str) -> Geometry:
    """The geometry that a config.json describes; a multimodal model is read down to its text part.

    where   what to call the file in an error, such as "config.json of Qwen/Qwen3-8B"

    Raises InvalidInput naming the field when the architecture or a part of it is not understood, or a value cannot be.
    """
    if not isinstance(config, Mapping):
        raise InvalidInput("config", config, f"which is not the content of {where}", "give a JSON object")
    if isinstance(config.get("text_config"), Mapping):
        outer = {key: config[key] for key in ("tie_word_embeddings", "quantization_config") if key in config}
        config = {**outer, **config["text_config"]}
    kind = str(config.get("model_type"))
    if kind not in ARCHITECTURES:
        known = ", ".join(sorted(ARCHITECTURES))
        raise InvalidInput("model_type", kind, f"an architecture of {where} that is not understood", f"use {known}")
    return _Reader({**ARCHITECTURES[kind].defaults, **config}, ARCHITECTURES[kind], where).geometry()


@dataclass(frozen=True)
class _Reader:
    config: Config
    architecture: Architecture
    where: str

    def geometry(self) -> Geometry:
        self._refuse_unknown_parts()
        hidden, heads, layers = (self._count(k) for k in ("hidden_size", "num_attention_heads", "num_hidden_layers"))
        kv_heads = self._count("num_key_value_heads", heads)
        if heads % kv_heads:
            raise self._wrong("num_key_value_heads", f"which does not divide the {heads} attention heads")
        if self.config.get("head_dim") is None and hidden % heads:
            raise self._wrong("hidden_size", f"which {heads} attention heads do not divide, and head_dim is missing")
        window, sliding = self._sliding(layers)
        experts, sparse = self._experts(layers)
        flags = {flag for flag in self.architecture.flags if self._flag(flag, False)}
        expert_width = "moe_intermediate_size" if "moe_intermediate_size" in self.config else "intermediate_size"
        return Geometry(
            model_type=str(self.config["model_type"]),
            hidden_size=hidden,
            intermediate_size=self._count("intermediate_size"),
            num_hidden_layers=layers,
            num_attention_heads=heads,
            num_key_value_heads=kv_heads,
            head_dim=self._count("head_dim", hidden // heads),
            vocab_size=self._count("vocab_size"),
            tie_word_embeddings=self._flag("tie_word_embeddings", False),
            max_position_embeddings=self._count("max_position_embeddings"),
            qkv_bias=self.architecture.qkv_bias or "attention_bias" in flags,
            o_bias="attention_bias" in flags,
            mlp_bias="mlp_bias" in flags,
            qk_norm=self.architecture.qk_norm,
            norms_per_layer=self.architecture.norms_per_layer,
            sliding_window=window,
            sliding_layers=sliding,
            num_experts=experts,
            num_experts_per_tok=self._count("num_experts_per_tok", 2) if sparse else 0,
            moe_intermediate_size=self._count(expert_width) if sparse else 0,
            sparse_layers=sparse,
        )

    def _refuse_unknown_parts(self) -> None:
        dense = EXPERT_FIELDS if not self.architecture.experts else ()
        for name in (*NOT_UNDERSTOOD, *dense):
            if self.config.get(name):
                raise self._wrong(name, f"a part of {self.where} that is not understood", "use a model without it")
        if self.config.get("quantization_config"):
            problem = f"so the weights of {self.where} are already quantised"
            raise self._wrong("quantization_config", problem, "name the 16-bit model and choose quantization nf4")

    def _sliding(self, layers: int) -> tuple[int | None, int]:
        """(window in tokens, number of layers that use it); (None, 0) where every layer sees everything."""
        how, off = self.architecture.window, (None, 0)
        if how == "none" or not self.config.get("sliding_window"):
            return off
        if how == "qwen" and not self._flag("use_sliding_window", False):
            return off
        window = self._count("sliding_window")
        types = self.config.get("layer_types")
        if types is not None:
            unknown = set(types) - {"sliding_attention", "full_attention"}
            if unknown or len(types) != layers:
                problem = f"which is not full_attention or sliding_attention for each of the {layers} layers"
                raise self._wrong("layer_types", problem, "use a model without other kinds of layers")
            sliding = sum(kind == "sliding_attention" for kind in types)
        elif how == "pattern":
            sliding = layers - layers // self._count("sliding_window_pattern")
        else:
            first = self._count("max_window_layers", 0, least=0) if how == "qwen" else 0
            sliding = max(0, layers - first)
        if how == "qwen" and 0 < sliding < layers:
            problem = "so that some layers slide and some do not, which the engine cannot serve for this architecture"
            raise self._wrong("max_window_layers", problem, "set use_sliding_window to false")
        return (window, sliding) if sliding else off

    def _experts(self, layers: int) -> tuple[int, int]:
        """(experts in a sparse layer, number of sparse layers)."""
        if not self.architecture.experts:
            return 0, 0
        dense = set(self.config.get("mlp_only_layers") or ())
        step = self._count("decoder_sparse_step", 1)
        sparse = sum(layer not in dense and (layer + 1) % step == 0 for layer in range(layers))
        return self._count(self.architecture.experts), sparse

    def _count(self, name: str, default: int | None = None, least: int = 1) -> int:
        value = self.config.get(name)
        if value is None and default is not None:
            return default
        if value is None:
            raise InvalidInput(name, None, f"missing from {self.where}", "give the complete config.json")
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= LARGEST:
            raise self._wrong(name, f"which cannot be in {self.where}", "give a whole number above zero")
        return value

    def _flag(self, name: str, default: bool) -> bool:
        value = self.config.get(name, default)
        if not isinstance(value, bool):
            raise self._wrong(name, f"which cannot be in {self.where}", "give true or false")
        return value

    def _wrong(self, name: str, problem: str, remedy: str = "give the config.json as published") -> InvalidInput:
        return InvalidInput(name, self.config.get(name), problem, remedy)
