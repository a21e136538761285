"""Stock TRL with its own colocated vLLM, and this project's trainer, on one and the same model folder and batch."""

import gc
import itertools
import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from measure import recipe_of, tokenizer_of
from models import DEVICE, model_folder, save_random

from core.config import make_config
from core.worker.memory import held

STEPS = 6
SETTLED = slice(2, None)  # the first steps compile and warm up


def ours(work: Path, tokenizer: Path, common: Mapping[str, Any], *rows: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """One engine, then a short training for each row of what it changes about the trainer alone."""
    from core.worker.engines.vllm.engine import VllmEngine

    folder = model_folder(str(common["model"]), work, tokenizer)
    save_random(folder)
    engine = VllmEngine(make_config({"recipe": "addition", **common}), str(folder), DEVICE)
    for row in rows or ({},):
        yield {"who": "grouper", "changes": dict(row), **_train(engine, folder, {**common, **row})}
        for way in engine._known.values():
            way._policy = None
        gc.collect()
        torch.cuda.empty_cache()


def plain(work: Path, tokenizer: Path, common: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The same trainer with transformers' generate: what sampling takes of a step without an engine."""
    from core.worker.engines.transformers import TransformersEngine

    folder = model_folder(str(common["model"]), work, tokenizer)
    save_random(folder)
    yield {
        "who": "grouper, generate in place of vLLM",
        **_train(TransformersEngine(tokenizer_of(folder)), folder, common),
    }


def _train(engine: Any, folder: Path, values: Mapping[str, Any]) -> dict[str, Any]:
    from core.worker.checks.packing_exact import try_packing
    from core.worker.loading.load import Loaded
    from core.worker.loading.shared import share_base
    from core.worker.loading.weights import attach_adapter, load_base
    from core.worker.training import prepare_training
    from core.worker.update.logprobs import settle_kernels

    settle_kernels()
    config = make_config({"recipe": "addition", "steps": STEPS, **values})
    base = share_base(str(folder), engine) if config.share_weights else load_base(str(folder), config, DEVICE)
    policy = attach_adapter(base, config)
    engine.connect(policy)
    with policy.disable_adapter():
        packing = try_packing(policy.get_base_model(), config)
    recipe = recipe_of(config.prompt_tokens)
    examples = recipe.examples(config.prompts_per_step * STEPS, 0)
    steps: list[Any] = []
    began = [time.perf_counter()]

    def keep(step: Any) -> bool:
        steps.append(step)
        began.append(time.perf_counter())
        return False

    with tempfile.TemporaryDirectory() as scratch:
        loaded = Loaded(policy, tokenizer_of(folder), engine, str(folder))
        prepare_training(loaded, config, recipe, examples, Path(scratch), keep, packed=packing.packed).run()
    taken = [end - start for start, end in itertools.pairwise(began)]
    return {
        "packing": packing.reason,
        "step_seconds": taken,
        "median": statistics.median(taken[SETTLED]),
        "phases": [dict(step.seconds) for step in steps],
        "peaks": {name: max(step.memory[name] for step in steps) for name in ("rollout", "sync", "update")},
        "tokens": [sum(c.length for g in step.groups for c in g.completions) for step in steps],
        "mismatch": [step.metrics.get("mismatch/mean") for step in steps],
    }


def stock(work: Path, tokenizer: Path, common: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """TRL's GRPOTrainer as its documentation starts it: use_vllm, colocate, LoRA through peft_config, bf16."""
    os.environ.update(RANK="0", LOCAL_RANK="0", WORLD_SIZE="1", MASTER_ADDR="127.0.0.1", MASTER_PORT="29511")
    from peft import LoraConfig
    from transformers import TrainerCallback
    from trl import GRPOConfig, GRPOTrainer

    from core.worker.rollouts.examples import as_dataset

    folder = model_folder(str(common["model"]), work, tokenizer)
    save_random(folder)
    config = make_config({"recipe": "addition", "steps": STEPS, **common})
    recipe = recipe_of(config.prompt_tokens)
    examples = recipe.examples(config.prompts_per_step * STEPS, 0)
    began: list[float] = []

    class Clock(TrainerCallback):
        def on_step_begin(self, *args: Any, **kwargs: Any) -> None:
            torch.cuda.synchronize()
            began.append(time.perf_counter())

        def on_train_end(self, *args: Any, **kwargs: Any) -> None:
            torch.cuda.synchronize()
            began.append(time.perf_counter())

    def chance(completions: list[Any], **_: Any) -> list[float]:
        return [recipe.rewards[0].function("", {}) or 0.0 for _ in completions]

    with tempfile.TemporaryDirectory() as scratch:
        trainer = GRPOTrainer(
            model=str(folder),
            reward_funcs=[chance],
            args=GRPOConfig(
                output_dir=scratch,
                max_steps=STEPS,
                bf16=True,
                model_init_kwargs={"dtype": "bfloat16"},
                use_vllm=True,
                vllm_mode="colocate",
                vllm_gpu_memory_utilization=config.gpu_memory_utilization,
                vllm_max_model_length=config.prompt_tokens + config.completion_tokens,
                per_device_train_batch_size=config.micro_batch,
                gradient_accumulation_steps=config.batch_size // config.micro_batch,
                num_generations=config.group_size,
                max_completion_length=config.completion_tokens,
                learning_rate=config.learning_rate,
                beta=0.0,
                gradient_checkpointing=config.gradient_checkpointing,
                logging_steps=1,
                save_strategy="no",
                report_to="none",
                disable_tqdm=True,
            ),
            train_dataset=as_dataset(examples),
            processing_class=tokenizer_of(folder),
            peft_config=LoraConfig(
                r=config.rank,
                lora_alpha=config.lora_alpha,
                target_modules=list(config.target_modules),
                task_type="CAUSAL_LM",
            ),
            callbacks=[Clock()],
        )
        spent = {name: _timed(trainer.vllm_generation, name) for name in ("sync_weights", "generate")}
        trainer.train()
    taken = [after - before for before, after in itertools.pairwise(began)]
    yield {
        "who": "stock TRL, vLLM colocated",
        "step_seconds": taken,
        "median": statistics.median(taken[SETTLED]),
        "phases": spent,
        "peak": held(),
        "peak_reserved": torch.cuda.max_memory_reserved(),
    }


def _timed(owner: Any, name: str) -> list[float]:
    """Replaces a method by one that notes in this list the seconds of each call."""
    real, seconds = getattr(owner, name), list[float]()

    def method(*args: Any, **kwargs: Any) -> Any:
        began = time.perf_counter()
        try:
            return real(*args, **kwargs)
        finally:
            torch.cuda.synchronize()
            seconds.append(time.perf_counter() - began)

    setattr(owner, name, method)
    return seconds
