"""TRL's GRPOTrainer opened at the two places where a step of our own comes in."""

from typing import Any

import torch
from trl import GRPOTrainer

# Keys of the loss's inputs besides prompt_ids, prompt_mask, completion_ids, completion_mask, advantages and
# num_items_in_batch.
SAMPLED, RATIO, REFERENCE = "sampling_per_token_logps", "importance_sampling_ratio", "ref_per_token_logps"


class HookedGrpoTrainer(GRPOTrainer):
    """GRPOTrainer that is given its micro-batches and, where a subclass knows better, its logprobs."""

    def correct_for_the_engine(self) -> None:
        """The loss takes the importance ratio from its inputs. TRL does so for its own vLLM alone; the trainer is built
        without it, which keeps its colocate mode out, and told of an engine afterwards."""
        self.use_vllm = self.vllm_importance_sampling_correction = True

    def next_micro_batch(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """Inputs of the loss for the next forward and backward. `rows`: the step's rows of the data set."""
        raise NotImplementedError

    def score(
        self,
        model: torch.nn.Module,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        width: int,
        batch_size: int | None = None,
        **options: Any,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """(logprobs, entropies, auxiliary loss), the first two (B, T), of the last T = `width` tokens of (B, P + T)."""
        options |= {"compute_entropy": True}
        found: tuple[Any, Any, Any] = super()._get_per_token_logps_and_entropies(
            model, input_ids, attention_mask, width, batch_size, **options
        )
        return found

    def _prepare_inputs(self, generation_batch: Any) -> dict[str, Any]:
        return self.next_micro_batch(generation_batch)

    def _get_per_token_logps_and_entropies(
        self,
        model: torch.nn.Module,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        logits_to_keep: int,
        batch_size: int | None = None,
        **options: Any,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        return self.score(model, input_ids, attention_mask, logits_to_keep, batch_size, **options)
