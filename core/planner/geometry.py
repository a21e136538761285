"""The shape of a decoder-only language model, and what can be counted from it exactly."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Projection:
    """One kind of linear layer. `count` is how many of it the whole model has, experts counted one by one."""

    name: str
    inputs: int
    outputs: int
    count: int
    bias: bool = False
    expert: bool = False

    @property
    def weights(self) -> int:
        """Elements of all its weight matrices, biases not counted."""
        return self.inputs * self.outputs * self.count


@dataclass(frozen=True)
class Geometry:
    """Everything about a model's shape that its memory depends on, under the names of Hugging Face's config.json.

    sliding_layers      layers that attend to the last `sliding_window` tokens only
    sparse_layers       layers whose MLP is `num_experts` experts of width `moe_intermediate_size`; the rest are dense
    norms_per_layer     RMS norms of width hidden_size in one layer: 2, or 4 where outputs are normed as well (Gemma)
    """

    model_type: str
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    vocab_size: int
    tie_word_embeddings: bool
    max_position_embeddings: int
    qkv_bias: bool = False
    o_bias: bool = False
    mlp_bias: bool = False
    qk_norm: bool = False
    norms_per_layer: int = 2
    sliding_window: int | None = None
    sliding_layers: int = 0
    num_experts: int = 0
    num_experts_per_tok: int = 0
    moe_intermediate_size: int = 0
    sparse_layers: int = 0

    @property
    def q_size(self) -> int:
        """Width of all query heads together; not hidden_size where head_dim is a field of its own."""
        return self.num_attention_heads * self.head_dim

    @property
    def kv_size(self) -> int:
        """Width of all key heads together, which is also that of the value heads."""
        return self.num_key_value_heads * self.head_dim

    @property
    def full_layers(self) -> int:
        return self.num_hidden_layers - self.sliding_layers

    @property
    def dense_layers(self) -> int:
        return self.num_hidden_layers - self.sparse_layers

    @cached_property
    def projections(self) -> tuple[Projection, ...]:
        """Every linear layer inside the decoder layers except the routers, which no adapter or quantiser touches."""
        return tuple(self._projections())

    def _projections(self) -> Iterator[Projection]:
        h, layers = self.hidden_size, self.num_hidden_layers
        yield Projection("q_proj", h, self.q_size, layers, self.qkv_bias)
        yield Projection("k_proj", h, self.kv_size, layers, self.qkv_bias)
        yield Projection("v_proj", h, self.kv_size, layers, self.qkv_bias)
        yield Projection("o_proj", self.q_size, h, layers, self.o_bias)
        for width, count, expert in (
            (self.intermediate_size, self.dense_layers, False),
            (self.moe_intermediate_size, self.sparse_layers * self.num_experts, True),
        ):
            if count:
                yield Projection("gate_proj", h, width, count, self.mlp_bias, expert)
                yield Projection("up_proj", h, width, count, self.mlp_bias, expert)
                yield Projection("down_proj", width, h, count, self.mlp_bias, expert)

    @property
    def active_width(self) -> int:
        """Width of the widest MLP that one token passes through."""
        routed = self.num_experts_per_tok * self.moe_intermediate_size
        return max(self.intermediate_size if self.dense_layers else 0, routed)

    @cached_property
    def linear_parameters(self) -> int:
        """Elements of the decoder's weight matrices: what a 4-bit quantiser packs, experts included."""
        return sum(p.weights for p in self.projections)

    @cached_property
    def expert_parameters(self) -> int:
        return sum(p.weights for p in self.projections if p.expert)

    @property
    def embedding_parameters(self) -> int:
        """Token embeddings and the language-model head, once where they are tied."""
        return self.vocab_size * self.hidden_size * (1 if self.tie_word_embeddings else 2)

    @cached_property
    def parameters(self) -> int:
        """Exact number of parameters, as the built model counts them."""
        biases = sum(p.outputs * p.count for p in self.projections if p.bias)
        routers = self.sparse_layers * self.num_experts * self.hidden_size
        norms = self.num_hidden_layers * self.norms_per_layer * self.hidden_size + self.hidden_size
        qk_norms = 2 * self.head_dim * self.num_hidden_layers if self.qk_norm else 0
        return self.linear_parameters + self.embedding_parameters + biases + routers + norms + qk_norms
