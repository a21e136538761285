"""`python -m core.worker.benches.step STEPS`: a step of the demo recipe here and in stock TRL, each in its own process.

stock_best is GRPOTrainer in what the processor is fastest in (weights and autocast in bf16; fp32 where it has none),
stock_default with its defaults (fp32); both sample with HF generate, which is what TRL can do on a CPU. All train on
the same prompts with the same rewards and batch. Where the length is full, every completion goes on to its last token
and rewards are drawn by chance: every group is trained on.
"""

import dataclasses
import itertools
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from core.config import RunConfig
from core.planning.resolved_run import resolve
from core.settings import load_settings, set_engine_environment
from core.tasks.registry import compose, get_recipe
from core.tasks.task import Example, Reward, Task

FULL = "full_length"
# Longest completions, in tokens: the recipe's own, 64, and 64 of which none is left out.
WORKLOADS: tuple[dict[str, Any], ...] = ({}, {"completion_tokens": 64}, {"completion_tokens": 64, FULL: True})
CONTENDERS = ("stock_best", "stock_default", "grouper")
# The first steps of a process warm it up.
WARM_UP = 2


def main(steps: int) -> None:
    results = []
    for overrides in WORKLOADS:
        told = {name: in_its_own_process(name, steps, overrides) for name in CONTENDERS}
        medians = {name: found["seconds"] for name, found in told.items()}
        config, full = _config(steps, overrides)
        results.append(
            {
                "workload": {
                    "recipe": config.recipe,
                    "prompts_per_step": config.prompts_per_step,
                    "group_size": config.group_size,
                    "completion_tokens": config.completion_tokens,
                    FULL: full,
                    "sampled_tokens": {name: found["tokens"] for name, found in told.items()},
                },
                "medians": {name: round(seconds, 3) for name, seconds in medians.items()},
                "ratio_best": round(medians["stock_best"] / medians["grouper"], 2),
                "ratio_default": round(medians["stock_default"] / medians["grouper"], 2),
                "phases": told["grouper"]["phases"],
                "floor": told["grouper"]["floor"],
            }
        )
        sys.stderr.write(json.dumps(results[-1]) + "\n")
    sys.stdout.write(json.dumps({"results": results, "steps": steps}) + "\n")


def in_its_own_process(name: str, steps: int, overrides: dict[str, Any]) -> dict[str, Any]:
    """What one contender reports of `steps` steps after the first ones, with these settings of the recipe."""
    sys.stderr.write(f"{name}, {overrides or 'as the recipe has it'}\n")
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "core.worker.benches.step",
        name,
        str(steps),
        json.dumps(overrides),
    ]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _config(steps: int, overrides: dict[str, Any]) -> tuple[RunConfig, bool]:
    """The run, and whether its completions are of full length."""
    changed = {name: value for name, value in overrides.items() if name != FULL}
    config = compose("addition", "smollm2-135m", "cpu", {"fast_inference": "on", "steps": steps + WARM_UP, **changed})
    return config, bool(overrides.get(FULL))


def _recipe(config: RunConfig, full: bool) -> Task:
    recipe, chance = get_recipe(config.recipe), random.Random(config.seed)
    by_chance = Reward("chance", 1.0, "random", lambda text, fields: chance.random())
    return dataclasses.replace(recipe, rewards=(by_chance,)) if full else recipe


def _to_the_last_token(engine: Any, tokens: int) -> None:
    """Has this engine sample exactly so many tokens for every completion."""
    ask = engine.generate

    def generate(prompts: list[list[int]], group_size: int, sampling: Any) -> Any:
        lengths = (tokens,) * (len(prompts) * group_size)
        return ask(prompts, group_size, dataclasses.replace(sampling, lengths=lengths))

    engine.generate = generate


def grouper(config: RunConfig, full: bool = False) -> dict[str, Any]:
    """Median seconds of this project's steps, their phases, and the floor of the work they did."""
    from core.worker.benches.floor import measure_floor
    from core.worker.checks.packing_exact import try_packing
    from core.worker.loading.load import load_policy
    from core.worker.loading.progress import Progress
    from core.worker.rollouts.examples import choose_examples
    from core.worker.training import prepare_training

    floor = measure_floor()
    loaded = load_policy(resolve(load_settings(), config), Progress(lambda phase: None, lambda done: None))
    if full:
        _to_the_last_token(loaded.engine, config.completion_tokens)
    with loaded.policy.disable_adapter():
        packing = try_packing(loaded.policy.get_base_model(), config)
    recipe = _recipe(config, full)
    examples = choose_examples(recipe, config, loaded.tokenizer)
    ends, kept = [time.perf_counter()], []

    def keep(step: Any) -> bool:
        ends.append(time.perf_counter())
        kept.append(step)
        return False

    with tempfile.TemporaryDirectory() as folder:
        prepare_training(loaded, config, recipe, examples, Path(folder), keep, packed=packing.packed).run()
    parameters = loaded.policy.get_base_model().num_parameters()
    lengths = [completion.length for group in kept[-1].groups for completion in group.completions]
    prompts = sum(len(group.prompt_token_ids) for group in kept[-1].groups)
    trained = prompts + sum(lengths)
    least = floor.decode(parameters, lengths) + floor.forward(parameters, prompts) + floor.update(parameters, trained)
    phases = {
        name: round(statistics.median(step.seconds.get(name, 0.0) for step in kept[WARM_UP:]), 3)
        for name in ("sync", "generate", "update")
    }
    tokens = [sum(completion.length for group in step.groups for completion in group.completions) for step in kept]
    loaded.engine.close()
    return {
        "seconds": _median(ends),
        "tokens": tokens[WARM_UP:],
        "phases": phases,
        "floor": round(least, 3),
        "rewards": [step.metrics["reward"] for step in kept],
    }


def stock(config: RunConfig, full: bool, best: bool) -> dict[str, Any]:
    """Median seconds of stock TRL's steps."""
    import torch
    from peft import LoraConfig
    from transformers import TrainerCallback
    from trl import GRPOConfig, GRPOTrainer

    from core.worker.dtype import compute_dtype
    from core.worker.loading.weights import fetch_folder, load_tokenizer
    from core.worker.rollouts.examples import as_dataset, choose_examples

    folder = fetch_folder(resolve(load_settings(), config).model)
    dtype = compute_dtype(torch.device("cpu")) if best else torch.float32
    tokenizer, recipe = load_tokenizer(folder), _recipe(config, full)
    examples = choose_examples(recipe, config, tokenizer)
    ends: list[float] = []
    tokens: list[int] = []
    rewards: list[float] = []

    class Clock(TrainerCallback):
        def on_train_begin(self, *args: Any, **kwargs: Any) -> None:
            ends.append(time.perf_counter())

        def on_step_end(self, *args: Any, **kwargs: Any) -> None:
            ends.append(time.perf_counter())

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
            if logs and "completions/mean_length" in logs:
                tokens.append(round(logs["completions/mean_length"] * config.batch_size))
                rewards.append(logs["reward"])

    with tempfile.TemporaryDirectory() as scratch:
        GRPOTrainer(
            model=folder,
            reward_funcs=_in_trls_shape(recipe, examples),
            args=GRPOConfig(
                output_dir=scratch,
                max_steps=config.steps,
                seed=config.seed,
                use_cpu=True,
                bf16=dtype == torch.bfloat16,
                model_init_kwargs={"dtype": dtype},
                per_device_train_batch_size=config.batch_size,
                num_generations=config.group_size,
                max_completion_length=config.completion_tokens,
                generation_kwargs={"min_new_tokens": config.completion_tokens} if full else None,
                learning_rate=config.learning_rate,
                gradient_checkpointing=False,
                reward_weights=list(recipe.weights({}).values()),
                shuffle_dataset=False,
                logging_steps=1,
                save_strategy="no",
                report_to="none",
                disable_tqdm=True,
                dataloader_pin_memory=False,
            ),
            train_dataset=as_dataset(examples),
            processing_class=tokenizer,
            peft_config=LoraConfig(
                r=config.rank,
                lora_alpha=config.lora_alpha,
                target_modules=list(config.target_modules),
                task_type="CAUSAL_LM",
            ),
            callbacks=[Clock()],
        ).train()
    return {"seconds": _median(ends), "tokens": tokens[WARM_UP:], "rewards": rewards}


def _in_trls_shape(task: Task, examples: Sequence[Example]) -> list[Callable[..., list[float | None]]]:
    """The task's reward functions as TRL calls them: completions and the data set's columns as lists."""

    def in_trls_shape(reward: Reward) -> Callable[..., list[float | None]]:
        def score_all(completions: list[Any], example: list[int], **_: Any) -> list[float | None]:
            pairs = zip(completions, example, strict=True)
            return [reward.function(said[0]["content"], examples[index].fields) for said, index in pairs]

        score_all.__name__ = reward.name
        return score_all

    return [in_trls_shape(reward) for reward in task.rewards]


def _median(ends: list[float]) -> float:
    taken = [end - before for before, end in itertools.pairwise(ends)]
    return statistics.median(taken[WARM_UP:])


if __name__ == "__main__":
    if sys.argv[1].isdigit():
        main(int(sys.argv[1]))
    else:
        set_engine_environment(1)
        asked = _config(int(sys.argv[2]), json.loads(sys.argv[3]))
        found = grouper(*asked) if sys.argv[1] == "grouper" else stock(*asked, best=sys.argv[1] == "stock_best")
        sys.stdout.write(json.dumps(found) + "\n")
