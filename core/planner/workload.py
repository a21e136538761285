"""What a plan depends on besides the model and the GPU, refused where it cannot work.

A setting that a run's config has as well has its name and its values here (`core.config.RunConfig`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

from core.config.run_config import ENGINE_RANKS, LINEAR_MODULES, MLP_MODULES
from core.errors import InvalidInput
from core.planner.constants import MAX_SEQUENCES, PACK_NUMBERS, PACK_TOKENS

MOST_TOKENS = 1_000_000
MOST_COMPLETIONS = 65_536


@dataclass(frozen=True)
class Workload:
    """The settings of a run that decide where its memory goes; knobs of TRL, vLLM and PEFT keep their names.

    adapter_dtype                the type the adapter is trained in; its gradients and AdamW moments have the same
    fp32_inputs                  PEFT copies the inputs of 16-bit layers to an fp32 adapter's type, as it does unasked;
                                 attach_adapter in core/worker/loading/weights.py turns that off
    quantization                 base weights in the trainer: 16-bit, or NF4 with double quantisation
    fast_inference               "on": sample with vLLM; "off": with Hugging Face's generate, and no engine in memory
    share_weights                engine and trainer use one copy of the base weights
    adapter_sync                 "slot": the engine applies the adapter; "merged": it gets base + adapter as weights
    max_lora_rank                rank the engine keeps room for; None: the smallest it has that holds `rank`
    gpu_memory_utilization       share of the GPU's total that the engine may take, weights and KV cache included
    kv_cache_bytes               exact size of the KV cache; None: what gpu_memory_utilization leaves on a GPU, and
                                 whole GiB that hold every completion of a step on a CPU
    sleep_kv_cache               the engine gives its KV cache back while the trainer works (GPU only)
    max_num_seqs                 sequences the engine runs at once; None: the completions of a step, at most 256
    max_num_batched_tokens       tokens in one engine step; None: vLLM's default
    per_device_train_batch_size  completions in one forward and backward pass, whole groups; None: all of a step
    packed                       one row for each group: the prompt once, then its completions
    padded                       rows of different length share a batch, which brings an attention mask
    """

    rank: int = 64
    target_modules: tuple[str, ...] = LINEAR_MODULES
    adapter_dtype: Literal["fp32", "bf16"] = "fp32"
    fp32_inputs: bool = False
    quantization: Literal["none", "nf4"] = "none"
    optim: Literal["adamw_torch", "adamw_8bit"] = "adamw_torch"
    gradient_checkpointing: bool = True
    head: Literal["fused", "plain", "chunked", "frozen"] = "fused"
    packed: bool = False
    padded: bool = True

    fast_inference: Literal["on", "off"] = "on"
    engine_dtype: Literal["bf16", "nf4", "fp8"] = "bf16"
    share_weights: bool = False
    adapter_sync: Literal["merged", "slot"] = "slot"
    max_lora_rank: int | None = None
    gpu_memory_utilization: float = 0.5
    kv_cache_bytes: int | None = None
    sleep_kv_cache: bool = False
    max_num_seqs: int | None = None
    max_num_batched_tokens: int | None = None

    prompts_per_step: int = 4
    group_size: int = 8
    prompt_tokens: int = 256
    completion_tokens: int = 512
    per_device_train_batch_size: int | None = None

    def __post_init__(self) -> None:
        _check_choices(self)
        for name, most in _LIMITS.items():
            _check_count(name, getattr(self, name), most)
        _check_share("gpu_memory_utilization", self.gpu_memory_utilization)
        _check_modules(self.target_modules)
        if self.group_size < 2:
            raise _wrong(self, "group_size", "so no completion has another to be compared with", "choose 2 or more")
        if self.batch_size > MOST_COMPLETIONS:
            steps = f"times {self.group_size} is {self.batch_size:,} completions in a step"
            raise _wrong(self, "prompts_per_step", steps, f"keep it to {MOST_COMPLETIONS:,}")
        if self.batch_size % self.micro_batch or self.micro_batch % self.group_size:
            whole = f"which does not split {self.batch_size} completions into whole groups"
            raise _wrong(self, "per_device_train_batch_size", whole, f"choose {self.group_size} or all of them")
        if self.has_engine:
            self._check_engine()

    def _check_engine(self) -> None:
        if self.adapter_sync == "slot" and self.rank > max(ENGINE_RANKS):
            raise _wrong(self, "rank", "more than the engine serves", f"choose at most {max(ENGINE_RANKS)}")
        if self.max_lora_rank is not None and self.max_lora_rank not in ENGINE_RANKS:
            ranks = ", ".join(map(str, ENGINE_RANKS))
            raise _wrong(self, "max_lora_rank", "which the engine has no kernels for", f"choose one of {ranks}")
        if self.max_lora_rank is not None and self.max_lora_rank < self.rank:
            raise _wrong(self, "max_lora_rank", f"below rank {self.rank}", "leave it out or raise it to the rank")
        if self.share_weights and self.adapter_sync == "merged":
            problem = "while merged weights are pushed, which would change the base model for the trainer"
            raise _wrong(self, "share_weights", problem, "choose adapter_sync slot or hold the weights twice")
        if self.share_weights and self.engine_dtype != ("nf4" if self.quantization == "nf4" else "bf16"):
            problem = f"but the trainer holds {self.quantization} weights and the engine {self.engine_dtype}"
            raise _wrong(self, "share_weights", problem, "give both the same weights or hold them twice")
        if self.adapter_sync == "merged" and self.engine_dtype == "nf4":
            problem = "and merged weights cannot be pushed into 4-bit storage"
            raise _wrong(self, "engine_dtype", problem, "choose engine_dtype bf16 or adapter_sync slot")

    @property
    def has_engine(self) -> bool:
        """Whether an engine is in memory to sample with."""
        return self.fast_inference == "on"

    @property
    def sequence_tokens(self) -> int:
        """Longest sequence, and the engine's max_model_len."""
        return self.prompt_tokens + self.completion_tokens

    @property
    def batch_size(self) -> int:
        """Completions sampled in a step."""
        return self.prompts_per_step * self.group_size

    @property
    def micro_batch(self) -> int:
        """Completions in one forward and backward pass."""
        return self.per_device_train_batch_size or self.batch_size

    @property
    def engine_sequences(self) -> int:
        return self.max_num_seqs or min(self.batch_size, MAX_SEQUENCES)

    @property
    def engine_rank(self) -> int:
        """The rank that the engine's adapter slot has room for."""
        return self.max_lora_rank or min(rank for rank in ENGINE_RANKS if rank >= self.rank)

    @property
    def row_tokens(self) -> int:
        """Longest row of a training batch, in tokens."""
        return self.prompt_tokens + self.completion_tokens * (self.group_size if self.packed else 1)

    @property
    def batch_tokens(self) -> int:
        """Tokens in one forward pass. Packing counts each prompt once a group instead of once a completion."""
        prompts = self.micro_batch // self.group_size if self.packed else self.micro_batch
        return prompts * self.prompt_tokens + self.scored_tokens

    def pack_tokens(self, budget: int) -> int:
        """Tokens that the backward pass works on at one time: one pack of whole groups, or the whole batch."""
        if not self.packed:
            return self.batch_tokens
        groups = min(self.micro_batch // self.group_size, max(1, budget // self.row_tokens))
        return groups * self.row_tokens

    @property
    def scored_tokens(self) -> int:
        """Tokens of one forward pass that go through the language-model head."""
        return self.micro_batch * self.completion_tokens

    @property
    def trains_mlp(self) -> bool:
        return any(name in MLP_MODULES for name in self.target_modules)


def pack_budget(hidden_size: int, on_cpu: bool) -> int:
    """Token positions of packed rows that are computed together: enough to keep the device busy, and no more."""
    return PACK_TOKENS if on_cpu else max(PACK_TOKENS, PACK_NUMBERS // hidden_size)


_LIMITS = {
    "rank": 65_536,
    "max_num_seqs": MOST_COMPLETIONS,
    "max_num_batched_tokens": 16 * MOST_TOKENS,
    "kv_cache_bytes": 2**50,
    "prompts_per_step": MOST_COMPLETIONS,
    "group_size": MOST_COMPLETIONS,
    "prompt_tokens": MOST_TOKENS,
    "completion_tokens": MOST_TOKENS,
    "per_device_train_batch_size": MOST_COMPLETIONS,
}


def _choices() -> dict[str, tuple[Any, ...]]:
    hints = get_type_hints(Workload)
    literal = {name: get_args(hint) for name, hint in hints.items() if get_origin(hint) is Literal}
    return literal | {name: (True, False) for name, hint in hints.items() if hint is bool}


_CHOICES = _choices()
_OPTIONAL = {f.name for f in fields(Workload) if f.default is None}


def _check_choices(workload: Workload) -> None:
    for name, allowed in _CHOICES.items():
        value = getattr(workload, name)
        if not any(value is choice or (value == choice and isinstance(value, str)) for choice in allowed):
            options = " or ".join(str(choice).lower() for choice in allowed)
            raise _wrong(workload, name, "which is not a choice", f"choose {options}")


def _check_count(name: str, value: object, most: int) -> None:
    if value is None and name in _OPTIONAL:
        return
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidInput(name, value, "which is not a whole number", "give a whole number")
    if value < 1:
        raise InvalidInput(name, value, "which is below one", "give a whole number above zero")
    if value > most:
        raise InvalidInput(name, value, "beyond anything that can be planned", f"give at most {most:,}")


def _check_share(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1:
        raise InvalidInput(name, value, "which is not a share of the GPU", "give a number between 0 and 1, such as 0.5")


def _check_modules(names: object) -> None:
    if isinstance(names, str) or not isinstance(names, Sequence) or not names:
        raise InvalidInput("target_modules", names, "which names no linear layer", "give names such as q_proj, v_proj")
    for name in names:
        if name not in LINEAR_MODULES:
            known = ", ".join(LINEAR_MODULES)
            raise InvalidInput(
                "target_modules", name, "which is not a linear layer of a decoder", f"choose among {known}"
            )


def _wrong(workload: Workload, name: str, problem: str, remedy: str) -> InvalidInput:
    return InvalidInput(name, getattr(workload, name), problem, remedy)
