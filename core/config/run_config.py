"""One run's settings as one frozen, closed value.

The text under each field is its documentation and the hint in the form. Knobs that belong to TRL, vLLM or PEFT keep
their names; `ALIASES` lets people write the library's name where ours is shorter.
"""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from core.config.sentence import sentence
from core.errors import InvalidInput

# Ranks that vLLM compiles its LoRA kernels for (vllm/config/lora.py, MaxLoRARanks).
ENGINE_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
ATTENTION_MODULES = ("q_proj", "k_proj", "v_proj", "o_proj")
MLP_MODULES = ("gate_proj", "up_proj", "down_proj")
LINEAR_MODULES = ATTENTION_MODULES + MLP_MODULES

# The library's own name -> ours.
ALIASES = {
    "r": "rank",
    "lora_rank": "rank",
    "max_steps": "steps",
    "num_generations": "group_size",
    "max_prompt_length": "prompt_tokens",
    "max_completion_length": "completion_tokens",
    "load_in_4bit": "quantization",
}

Module = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.]+$", max_length=64)]


class RunConfig(BaseModel):
    """Everything that decides what a run does. Two equal configs on one machine give the same run."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=False, protected_namespaces=())

    model: str = Field(min_length=1, max_length=300, description="Catalogue alias, Hub id or local folder.")
    gpu: str = Field("cpu", min_length=1, max_length=60, description="GPU profile the memory is planned for.")
    device: str = Field(
        "auto",
        pattern=r"^(auto|cpu|cuda:\d{1,3})$",
        description="Where it runs: cpu, or a GPU by its number as cuda:1; auto takes the first that is free.",
    )
    recipe: str = Field(min_length=1, max_length=60, description="What is trained on: data, prompt and rewards.")
    dataset: str = Field("", max_length=500, description="Local copy of the recipe's data; empty: the recipe's own.")

    rank: int = Field(64, ge=1, le=512, description="LoRA rank: the adapter's capacity. RL profits from 64 and more.")
    lora_alpha: int = Field(32, ge=1, le=4096, description="Adapter scale is lora_alpha / rank.")
    max_lora_rank: int | None = Field(None, description="Largest rank the engine reserves room for; empty: the rank.")
    target_modules: tuple[Module, ...] = Field(
        LINEAR_MODULES, min_length=1, max_length=20, description="Linear layers that carry the adapter."
    )
    quantization: Literal["none", "nf4"] = Field(
        "none", description="Base weights in the trainer: 16-bit or 4-bit NF4."
    )

    fast_inference: Literal["auto", "on", "off"] = Field(
        "auto", description="Sample with vLLM (on), with plain generate (off), or with vLLM where it is installed."
    )
    gpu_memory_utilization: float = Field(
        0.5, gt=0.0, le=0.98, description="Share of the GPU's total memory that the engine may take."
    )
    adapter_sync: Literal["auto", "merged", "slot"] = Field(
        "auto",
        description="How the engine gets the adapter: merged into its weights, in a slot, or as suits the device.",
    )
    share_weights: bool = Field(
        False, description="Trainer and engine hold the base weights once; on a GPU, 16-bit, with an adapter slot."
    )
    sleep_kv_cache: bool = Field(
        False, description="The engine gives its KV cache back while the trainer works; on a GPU only."
    )
    kv_cache_gib: int = Field(1, ge=1, le=1024, description="KV cache in GiB of host memory; on a CPU only.")

    steps: int = Field(40, ge=1, le=1_000_000, description="Optimizer steps. Each samples one batch of completions.")
    prompts_per_step: int = Field(4, ge=1, le=4096, description="Different prompts in a step.")
    group_size: int = Field(8, ge=2, le=1024, description="Completions sampled for each prompt (num_generations).")
    prompt_tokens: int = Field(256, ge=1, le=1_000_000, description="Longest prompt, in tokens.")
    completion_tokens: int = Field(64, ge=1, le=1_000_000, description="Longest completion, in tokens.")
    per_device_train_batch_size: int | None = Field(
        None, ge=1, le=65536, description="Completions in one forward and backward; empty: the whole batch."
    )
    gradient_checkpointing: bool = Field(False, description="Recompute activations: less memory, about a third slower.")

    temperature: float = Field(1.0, gt=0.0, le=10.0, description="Sampling temperature.")
    top_p: float = Field(1.0, gt=0.0, le=1.0, description="Sample from the smallest set with this probability.")
    top_k: int = Field(0, ge=0, le=1_000_000, description="Sample from this many tokens; 0: all.")

    learning_rate: float = Field(2e-4, gt=0.0, le=1.0, description="AdamW learning rate.")
    lr_scheduler_type: Literal["constant", "linear", "cosine"] = Field(
        "constant", description="Learning rate over time."
    )
    warmup_steps: int = Field(0, ge=0, le=1_000_000, description="Steps over which the learning rate rises.")
    weight_decay: float = Field(0.0, ge=0.0, le=1.0, description="AdamW weight decay.")
    max_grad_norm: float = Field(1.0, gt=0.0, le=1e6, description="Gradients are clipped to this norm.")
    optim: Literal["adamw_torch", "adamw_8bit"] = Field("adamw_torch", description="Optimizer; 8-bit states on GPUs.")
    beta: float = Field(0.0, ge=0.0, le=10.0, description="Weight of the KL term towards the base model.")
    epsilon: float = Field(0.2, gt=0.0, le=1.0, description="Clipping range of the policy ratio.")
    loss_type: Literal["grpo", "dr_grpo", "dapo", "bnpo"] = Field("dapo", description="How token losses are averaged.")
    scale_rewards: Literal["group", "batch", "none"] = Field("group", description="What advantages are divided by.")
    reward_weights: dict[str, float] = Field(
        default_factory=dict, max_length=32, description="Weight of each reward function; empty: the recipe's."
    )

    save_steps: int = Field(20, ge=1, le=1_000_000, description="A checkpoint every so many steps, and at the end.")
    save_total_limit: int = Field(3, ge=1, le=1000, description="Checkpoints kept.")
    evaluate_every: int = Field(
        10,
        ge=0,
        le=1_000_000,
        description="Ask a few fixed prompts every so many steps and at the end, answered greedily; 0: never.",
    )
    seed: int = Field(0, ge=0, le=2**31 - 1, description="Decides data order, adapter start and sampling.")

    @property
    def batch_size(self) -> int:
        """Completions sampled in a step."""
        return self.prompts_per_step * self.group_size

    @property
    def micro_batch(self) -> int:
        """Completions in one forward and backward pass."""
        return self.per_device_train_batch_size or self.batch_size

    @property
    def engine_rank(self) -> int:
        """The rank the engine reserves room for."""
        return self.max_lora_rank or self.rank

    @model_validator(mode="after")
    def _fields_agree(self) -> Self:
        if self.fast_inference != "off":
            self._check_ranks()
        self._check_sharing()
        if self.device != "auto" and (self.device == "cpu") != (self.gpu == "cpu"):
            problem = f"but the memory is planned for {self.gpu}"
            raise InvalidInput(
                "device", self.device, problem, "set device to auto, or gpu to the profile of the device"
            )
        if self.batch_size % self.micro_batch or self.micro_batch % self.group_size:
            raise InvalidInput(
                "per_device_train_batch_size",
                self.micro_batch,
                f"which does not split {self.batch_size} completions into whole groups of {self.group_size}",
                f"choose one of {_join(_whole_groups(self.prompts_per_step, self.group_size))}",
            )
        return self

    def _check_sharing(self) -> None:
        remedy = "set share_weights to false"
        if self.share_weights and self.gpu == "cpu":
            problem = "but the CPU engine repacks its weights, so the trainer cannot use them"
            raise InvalidInput("share_weights", True, problem, remedy)
        if self.share_weights and self.quantization != "none":
            problem = f"but the trainer holds {self.quantization} weights and the engine 16-bit ones"
            raise InvalidInput("share_weights", True, problem, f"{remedy}, or quantization to none")
        if self.share_weights and (self.adapter_sync != "slot" or self.fast_inference == "off"):
            problem = "which needs an engine that leaves its base weights alone"
            raise InvalidInput("share_weights", True, problem, f"set adapter_sync to slot, or {remedy}")
        if self.sleep_kv_cache and self.gpu == "cpu":
            problem = "but only a GPU engine can give its KV cache back"
            raise InvalidInput("sleep_kv_cache", True, problem, "set sleep_kv_cache to false")

    def _check_ranks(self) -> None:
        if self.rank not in ENGINE_RANKS:
            near = sorted(ENGINE_RANKS, key=lambda rank: abs(rank - self.rank))[:2]
            raise InvalidInput(
                "rank",
                self.rank,
                f"which the vLLM engine cannot serve (it serves {_join(ENGINE_RANKS)})",
                f"choose {_join(sorted(near), 'or')}, or set fast_inference to off",
            )
        if self.engine_rank not in ENGINE_RANKS or self.engine_rank < self.rank:
            fitting = [rank for rank in ENGINE_RANKS if rank >= self.rank]
            raise InvalidInput(
                "max_lora_rank",
                self.engine_rank,
                f"which cannot hold an adapter of rank {self.rank}",
                f"leave it empty or choose {_join(fitting, 'or')}",
            )


def make_config(values: Mapping[str, Any]) -> RunConfig:
    """A checked RunConfig, or InvalidInput naming the first field that is wrong.

    `generation_batch_size` (TRL's name for completions per step) is accepted for prompts_per_step x group_size.
    """
    values = {ALIASES.get(key, key): value for key, value in values.items()}
    _resolve_batch(values)
    try:
        return RunConfig.model_validate(values)
    except ValidationError as error:
        raise sentence(error, RunConfig, "config") from None


def parse_assignments(pairs: list[str]) -> dict[str, Any]:
    """`["beta=0.04", "target_modules=[\\"q_proj\\"]"]` -> values; text that is not JSON stays text."""
    values: dict[str, Any] = {}
    for pair in pairs:
        key, separator, text = pair.partition("=")
        if not separator or not key.strip():
            raise InvalidInput("--set", pair, "which is not KEY=VALUE", "write for example --set beta=0.04")
        try:
            values[key.strip()] = json.loads(text)
        except json.JSONDecodeError:
            values[key.strip()] = text
    return values


def _resolve_batch(values: dict[str, Any]) -> None:
    if "generation_batch_size" not in values:
        return
    batch = values.pop("generation_batch_size")
    group = values.get("group_size", RunConfig.model_fields["group_size"].default)
    if not isinstance(batch, int) or not isinstance(group, int) or group < 1 or batch < group or batch % group:
        raise InvalidInput(
            "group_size", group, f"which does not divide the batch of {batch} completions", "choose a divisor of it"
        )
    values["prompts_per_step"] = batch // group


def _whole_groups(prompts: int, group_size: int) -> list[int]:
    return [count * group_size for count in range(1, prompts + 1) if prompts % count == 0]


def _join(values: Any, last: str = "and") -> str:
    texts = [str(value) for value in values]
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} {last} {texts[-1]}"
