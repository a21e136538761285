"""A RunConfig in TRL's words."""

from pathlib import Path

import torch
from trl import GRPOConfig

from core.config import RunConfig
from core.worker.dtype import compute_dtype

# Token-level truncation at 2.0: the trainer's default masks whole sequences and so drops long answers
# (Yao et al., "Your efficient RL framework secretly brings you off-policy RL training", 2025).
IMPORTANCE_CAP = 2.0


def grpo_arguments(config: RunConfig, folder: Path, device: torch.device, done: int = 0) -> GRPOConfig:
    """TRL's arguments for what is left of this run after `done` steps. One optimizer step takes one whole batch.

    How to sample and what rewards weigh is not among them: a step does that by itself.
    """
    micro_batches = config.batch_size // config.micro_batch
    return GRPOConfig(
        output_dir=str(folder / "trl"),
        max_steps=max(1, config.steps - done),
        seed=config.seed,
        use_cpu=device.type == "cpu",
        bf16=compute_dtype(device) == torch.bfloat16,
        per_device_train_batch_size=config.micro_batch,
        gradient_accumulation_steps=micro_batches,
        steps_per_generation=micro_batches,
        num_generations=config.group_size,
        max_completion_length=config.completion_tokens,
        temperature=config.temperature,
        learning_rate=config.learning_rate,
        lr_scheduler_type=config.lr_scheduler_type,
        warmup_steps=config.warmup_steps,
        weight_decay=config.weight_decay,
        max_grad_norm=config.max_grad_norm,
        optim=config.optim,
        beta=config.beta,
        epsilon=config.epsilon,
        loss_type=config.loss_type,
        gradient_checkpointing=config.gradient_checkpointing,
        vllm_importance_sampling_correction=True,
        vllm_importance_sampling_mode="token_truncate",
        vllm_importance_sampling_clip_max=IMPORTANCE_CAP,
        shuffle_dataset=False,  # the recipe's order is already drawn from the seed
        logging_steps=1,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=device.type == "cuda",
    )
