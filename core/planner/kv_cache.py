"""How many KV blocks the engine makes of a given number of bytes: vLLM's own arithmetic, as its version 0.31 does it.

vLLM puts the layers into groups of equal size and gives every group its own block table over one pool, so a block
holds `block_tokens` tokens of the layers of one group. A model whose layers are all alike has one group. One that mixes
full attention with sliding windows has several; see `_groups` (vllm/v1/core/kv_cache_utils.py,
get_kv_cache_groups and get_kv_cache_config_from_groups).
"""

from dataclasses import dataclass

from core.planner.geometry import Geometry


@dataclass(frozen=True)
class KvCache:
    """The engine's KV cache.

    bytes                  what was given to it
    block_tokens           tokens of one sequence that a block holds
    block_bytes            bytes of one block
    blocks                 whole blocks made of those bytes
    tokens                 tokens it holds of sequences of full length, as vLLM reports it
    full_length_sequences  how many sequences of full length fit at once
    needed_bytes           the least that starts an engine: one full sequence and the block vLLM keeps back
    """

    bytes: int
    block_tokens: int
    block_bytes: int
    blocks: int
    tokens: int
    full_length_sequences: int
    needed_bytes: int

    @property
    def starts(self) -> bool:
        """Whether vLLM would start: it refuses when one sequence of full length does not fit."""
        return self.bytes >= self.needed_bytes

    def to_json(self) -> dict[str, int]:
        names = ("bytes", "block_tokens", "blocks", "tokens", "full_length_sequences")
        return {name: getattr(self, name) for name in names}


def kv_cache(
    geometry: Geometry,
    nbytes: int,
    *,
    block_tokens: int,
    sequence_tokens: int,
    in_flight_tokens: int,
    element_bytes: int = 2,
) -> KvCache:
    """What vLLM makes of `nbytes` of KV cache.

    sequence_tokens   the engine's max_model_len
    in_flight_tokens  tokens that may be scheduled and not yet settled: max_num_batched_tokens, twice that where
                      scheduling is asynchronous (GPU)
    element_bytes     of one cached number: 2 in bf16, 4 in fp32, 1 in fp8
    """
    block_bytes = kv_block_bytes(geometry, block_tokens, element_bytes)
    blocks = max(0, nbytes) // block_bytes
    per_sequence = _blocks_per_sequence(geometry, block_tokens, sequence_tokens, in_flight_tokens)
    return KvCache(
        bytes=max(0, nbytes),
        block_tokens=block_tokens,
        block_bytes=block_bytes,
        blocks=blocks,
        tokens=int(blocks / per_sequence * sequence_tokens),  # a float product, cut: vLLM's get_kv_cache_capacity
        full_length_sequences=blocks // per_sequence,
        needed_bytes=(per_sequence + 1) * block_bytes,
    )


def kv_block_bytes(geometry: Geometry, block_tokens: int, element_bytes: int = 2) -> int:
    """Bytes of one block: a page of keys and values for each layer of the widest group."""
    page = block_tokens * 2 * geometry.kv_size * element_bytes
    full, sliding = _groups(geometry)
    widest = max(
        _ceil(geometry.full_layers, full) if full else 0,
        _ceil(geometry.sliding_layers, sliding) if sliding else 0,
    )
    return widest * page


def kv_bytes_for(
    geometry: Geometry,
    sequences: int,
    *,
    block_tokens: int,
    sequence_tokens: int,
    in_flight_tokens: int,
    element_bytes: int = 2,
) -> int:
    """Bytes of KV cache that hold this many sequences of full length, and the block that vLLM keeps back."""
    per_sequence = _blocks_per_sequence(geometry, block_tokens, sequence_tokens, in_flight_tokens)
    return (sequences * per_sequence + 1) * kv_block_bytes(geometry, block_tokens, element_bytes)


def _groups(geometry: Geometry) -> tuple[int, int]:
    """(groups of full-attention layers, groups of sliding-window layers).

    Groups are as large as the rarer kind of layer is numerous, or as the commoner kind where the two are close, so that
    padding stays small.
    """
    full, sliding = geometry.full_layers, geometry.sliding_layers
    if not full or not sliding:
        return (1 if full else 0), (1 if sliding else 0)
    fewer, more = min(full, sliding), max(full, sliding)
    size = more if more < fewer * 1.5 else fewer
    return _ceil(full, size), _ceil(sliding, size)


def _blocks_per_sequence(geometry: Geometry, block_tokens: int, sequence_tokens: int, in_flight_tokens: int) -> int:
    """Blocks that one sequence of full length takes from the pool, over all groups."""
    full, sliding = _groups(geometry)
    blocks = full * _ceil(sequence_tokens, block_tokens)
    if sliding:
        window = geometry.sliding_window or sequence_tokens
        held = min(window - 1 + in_flight_tokens, sequence_tokens)
        blocks += sliding * (_ceil(held, block_tokens) + 1)  # a window need not begin at the start of a block
    return blocks


def _ceil(amount: int, size: int) -> int:
    return -(-amount // size)
