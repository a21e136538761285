"""`python -m core.worker.benches.generation REPEATS`: this engine and HF generate on the same prompts and lengths.

stock_best is generate on the policy under autocast in what the processor is fastest in (bf16; fp32 where it has none),
stock_default the same in fp32; both compute a finished row until the longest is done, as generate does.
"""

import copy
import json
import random
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from core.planning.resolved_run import resolve
from core.settings import load_settings, set_engine_environment
from core.tasks.registry import compose, get_recipe

# (completions, group size)
WORKLOADS = ((32, 8), (32, 4), (32, 16), (8, 8), (64, 8))
SHORTEST, LONGEST = 16, 128
SEED = 7


def main(repeats: int) -> None:
    set_engine_environment(1)
    import torch
    from transformers import StoppingCriteriaList

    from core.worker.benches.floor import measure_floor
    from core.worker.checks.adapter_live import probe_adapter
    from core.worker.dtype import compute_dtype
    from core.worker.engines.engine import Sampling
    from core.worker.engines.transformers import StopAt
    from core.worker.loading.load import load_policy
    from core.worker.loading.progress import Progress
    from core.worker.rollouts.examples import prompt_token_ids

    floor, half = measure_floor(), compute_dtype(torch.device("cpu")) == torch.bfloat16
    overrides = {"prompts_per_step": 8, "group_size": 8, "completion_tokens": LONGEST, "fast_inference": "on"}
    config = compose("addition", "smollm2-135m", "cpu", overrides)
    loaded = load_policy(resolve(load_settings(), config), Progress(lambda phase: say(phase), lambda done: None))
    policy, engine = loaded.policy.eval(), loaded.engine
    examples = get_recipe("addition").examples(8, SEED)
    prompts = [prompt_token_ids(example, loaded.tokenizer) for example in examples]
    with probe_adapter(policy, SEED):  # a fresh adapter is zero, and merging nothing would be cheating
        engine.sync()
        precise = copy.deepcopy(policy).float()

        def stock(model: Any, rows: list[list[int]], lengths: list[int], autocast: bool) -> None:
            inputs = torch.tensor(rows)
            with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=autocast and half):
                model.generate(
                    input_ids=inputs,
                    attention_mask=torch.ones_like(inputs),
                    do_sample=True,
                    top_k=0,
                    max_new_tokens=max(lengths),
                    pad_token_id=loaded.tokenizer.pad_token_id,
                    eos_token_id=None,
                    stopping_criteria=StoppingCriteriaList([StopAt(inputs.shape[1], lengths)]),
                )

        results = []
        for completions, group in WORKLOADS:
            asked = prompts[: completions // group]
            width = min(map(len, asked))  # one width, so that generate need not pad
            asked = [ids[-width:] for ids in asked]
            rows = [ids for ids in asked for _ in range(group)]
            lengths = draw_lengths(completions)
            sampling = Sampling(1.0, 1.0, 0, LONGEST, SEED, tuple(lengths))
            contenders: dict[str, Callable[[], object]] = {
                "stock_best": lambda: stock(policy, rows, lengths, True),  # noqa: B023 - called in this turn
                "stock_default": lambda: stock(precise, rows, lengths, False),  # noqa: B023
                "grouper": lambda: engine.generate(asked, group, sampling),  # noqa: B023
            }
            say(f"{completions} completions in groups of {group}")
            medians = race(contenders, repeats)
            parameters = policy.get_base_model().num_parameters()
            least = floor.decode(parameters, lengths) + floor.forward(parameters, sum(map(len, asked)))
            workload = {"completions": completions, "group_size": group, "tokens": sum(lengths), "longest": LONGEST}
            results.append(
                {
                    "workload": workload,
                    "medians": {name: round(seconds, 3) for name, seconds in medians.items()},
                    "ratio_best": round(medians["stock_best"] / medians["grouper"], 2),
                    "ratio_default": round(medians["stock_default"] / medians["grouper"], 2),
                    "tokens_per_second": {name: round(sum(lengths) / taken) for name, taken in medians.items()},
                    "floor": round(least, 3),
                }
            )
            say(json.dumps(results[-1]))
    engine.close()
    sys.stdout.write(json.dumps({"results": results, "machine": floor.to_json(), "repeats": repeats}) + "\n")


def draw_lengths(count: int) -> list[int]:
    """Lengths of `count` completions, evenly spread; one is the longest there is."""
    numbers = random.Random(count)
    return [LONGEST, *(numbers.randint(SHORTEST, LONGEST) for _ in range(count - 1))]


def race(contenders: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median seconds of each, taking turns, so that a busy minute of the machine meets all of them."""
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(repeats):
        for name, work in contenders.items():
            began = time.perf_counter()
            work()
            taken[name].append(time.perf_counter() - began)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]))
