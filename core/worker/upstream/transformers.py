"""How a transformers model attends, and where its config says that it came from."""

from typing import Any

from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

__all__ = ["attention_of", "forget_origin", "sdpa_attention_forward", "sdpa_mask"]


def attention_of(model: Any) -> str:
    """The name of the attention that the model uses, as `set_attn_implementation` takes it."""
    return str(model.config._attn_implementation)


def forget_origin(model: Any) -> None:
    """Keeps the path that the weights were read from out of what is saved."""
    model.config._name_or_path = ""
