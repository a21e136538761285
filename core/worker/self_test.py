"""`python -m core.worker.self_test GPU`: tries the training stack and prints one JSON line for each check.

The lines are `core.jobs.doctor.Check`s in the order of its TRIED. Everything else that anybody prints goes to stderr.
A check that raises is a finding with its remedy; those that need what it should have made are skipped.
"""

import json
import logging
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from core.catalogue import load_catalogue
from core.config import RunConfig, make_config
from core.planning.resolved_run import resolve
from core.settings import Settings, load_settings, set_engine_environment
from core.units import duration, gib, thin
from core.worker.failures import explain

Outcome = tuple[str, str, str, dict[str, Any]]  # state, message, remedy, figures
PROMPTS = ("What is 2+2?", "Name three colours.", "Write one sentence about rain.", "Count from one to ten.")
GROUP, TOKENS = 8, 64


@dataclass
class Bench:
    """What one check makes and the next one needs."""

    settings: Settings
    config: RunConfig
    made: dict[str, Any] = field(default_factory=dict)


def main(gpu: str) -> None:
    lines = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)  # vLLM and others print where they like
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    model = next(model.alias for model in load_catalogue().models if model.builtin is not None)
    shape = {"group_size": GROUP, "prompts_per_step": len(PROMPTS), "completion_tokens": TOKENS, "rank": 16}
    config = make_config({"model": model, "recipe": "addition", "gpu": gpu, **shape})
    bench = Bench(load_settings(), config)
    set_engine_environment(config.kv_cache_gib)
    for name, attempt in CHECKS.items():
        began = time.perf_counter()
        try:
            state, message, remedy, figures = attempt(bench)
        except KeyError as missing:  # only the bench raises it, for what an earlier check did not make
            state, message, remedy, figures = "skipped", f"Not tried: {missing.args[0]} failed.", "", {}
        except Exception as error:
            logging.exception("%s", name)
            failure = explain(error, "start engine" if name == "engine" else "update")
            state, message, remedy, figures = "failed", failure.message, failure.remedy, {}
        seconds = time.perf_counter() - began
        check = {"name": name, "state": state, "message": message, "remedy": remedy, "seconds": seconds}
        lines.write(json.dumps({**check, "figures": figures}) + "\n")


def try_stack(bench: Bench) -> Outcome:
    import peft
    import torch
    import transformers
    import trl

    found = {package.__name__: package.__version__ for package in (torch, transformers, trl, peft)}
    where = torch.cuda.get_device_name() if torch.cuda.is_available() else f"{torch.get_num_threads()} CPU threads"
    bench.made["device"] = torch.device("cuda" if torch.cuda.is_available() and bench.config.gpu != "cpu" else "cpu")
    return (
        "ok",
        f"torch {torch.__version__} and the rest can be imported together; torch computes on {where}.",
        "",
        found,
    )


def try_private_names(bench: Bench) -> Outcome:
    """What was changed elsewhere, whether a run can do without it or not."""
    from core.worker.upstream.expected import trainer_of, unexpected, without
    from core.worker.upstream.shims import SHIMS

    projects = (*trainer_of("nf4"), *(["vllm"] if find_spec("vllm") else []))
    unlike = unexpected(projects, bench.made["device"].type)
    figures = {"unexpected": [shim.name for shim, _ in unlike]}
    if not unlike:
        return "ok", f"All {len(SHIMS)} that are used of other projects are as expected.", "", figures
    state = "warning" if all(shim.without for shim, _ in unlike) else "failed"
    message = " ".join(without(shim, problem) if shim.without else f"{problem}." for shim, problem in unlike)
    return state, message, "Install the versions that work with `make setup`.", figures


def try_model(bench: Bench) -> Outcome:
    from core.worker.loading.weights import fetch_folder, load_tokenizer

    folder = bench.made["model"] = fetch_folder(resolve(bench.settings, bench.config).model)
    tokenizer = bench.made["tokenizer"] = load_tokenizer(folder)
    bench.made["prompts"] = [
        list(
            tokenizer.apply_chat_template([{"role": "user", "content": text}], add_generation_prompt=True)["input_ids"]
        )
        for text in PROMPTS
    ]
    size = sum(path.stat().st_size for path in Path(folder).iterdir())
    return "ok", f"{bench.config.model} is ready: {gib(size)}, every file as it was made.", "", {}


def try_engine(bench: Bench) -> Outcome:
    from core.worker.engines.attach import attach_engine

    began = time.perf_counter()
    engine = attach_engine(bench.config, bench.made["model"], bench.made["tokenizer"], bench.made["device"])
    seconds = time.perf_counter() - began
    bench.made["engine"] = engine
    if engine.notices:
        return "warning", " ".join(engine.notices), "", {"engine": engine.name}
    return (
        "ok",
        f"The {engine.name} engine started in {duration(seconds)}.",
        "",
        {"engine": engine.name, "start_seconds": seconds},
    )


def try_adapter(bench: Bench) -> Outcome:
    from core.worker.checks.adapter_live import prove_live
    from core.worker.loading.weights import attach_adapter, load_base

    base = load_base(bench.made["model"], bench.config, bench.made["device"])
    policy = attach_adapter(base, bench.config)
    bench.made["engine"].connect(policy)
    proof = prove_live(policy, bench.made["engine"], bench.made["prompts"], seed=0)
    bench.made["policy"] = policy
    message = (
        f"The engine follows the adapter: its logprobs differ from the trainer's by {proof.with_adapter:.3f} with it, "
        f"by {proof.without_adapter:.3f} without."
    )
    return "ok", message, "", {"with_adapter": proof.with_adapter, "without_adapter": proof.without_adapter}


def try_generation(bench: Bench) -> Outcome:
    from core.worker.engines.engine import Sampling

    engine, prompts = bench.made["engine"], bench.made["prompts"]
    engine.generate(prompts, GROUP, Sampling(1.0, 1.0, 0, 4, 1))  # the first call pays for what later ones reuse
    began = time.perf_counter()
    groups = engine.generate(prompts, GROUP, Sampling(1.0, 1.0, 0, TOKENS, 2))
    tokens = sum(len(sample.token_ids) for group in groups for sample in group)
    speed = tokens / (time.perf_counter() - began)
    message = f"{thin(round(speed))} tokens a second with {GROUP * len(prompts)} completions at once."
    return "ok", message, "", {"tokens_per_second": speed}


def try_packing_here(bench: Bench) -> Outcome:
    from core.worker.checks.packing_exact import try_packing

    policy = bench.made["policy"]
    with policy.disable_adapter():
        exactness = try_packing(policy.get_base_model(), bench.config)
    return "ok" if exactness.packed else "warning", exactness.reason, "", {"packed": exactness.packed}


def try_update(bench: Bench) -> Outcome:
    from core.worker.dtype import NAMES, compute_dtype

    kind = NAMES[compute_dtype(bench.made["device"])]
    seconds = _one_step(bench, bench.made["policy"])
    return "ok", f"One step of {GROUP} completions took {duration(seconds)} in {kind}.", "", {"step_seconds": seconds}


def try_nf4(bench: Bench) -> Outcome:
    from core.worker.loading.weights import attach_adapter, load_base

    config = bench.config.model_copy(update={"quantization": "nf4"})
    policy = attach_adapter(load_base(bench.made["model"], config, bench.made["device"]), config)
    seconds = _one_step(bench, policy)
    return "ok", f"One step took {duration(seconds)} with NF4 weights.", "", {"step_seconds": seconds}


def _one_step(bench: Bench, policy: Any) -> float:
    """Seconds of forward, backward and optimizer for one group; raises RunError unless every gradient is finite."""
    import torch

    from core.errors import RunError
    from core.worker.dtype import autocast
    from core.worker.update.logprobs import score_groups
    from core.worker.update.packing import PackedGroup

    device, began = bench.made["device"], time.perf_counter()
    tokens = torch.arange(100, 100 + 16, device=device)
    group = PackedGroup(torch.tensor(bench.made["prompts"][0], device=device), (tokens,) * GROUP)
    trained = [parameter for parameter in policy.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4)
    policy.train()
    with autocast(device):
        logprobs, _ = score_groups(policy.get_base_model(), [group], temperature=1.0)
    loss: Any = -logprobs.mean()
    loss.backward()
    if not all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in trained):
        raise RunError("diverged", "A gradient of the adapter is missing or not finite.", "Report these versions.")
    optimizer.step()
    return time.perf_counter() - began


CHECKS: dict[str, Callable[[Bench], Outcome]] = {
    "training stack": try_stack,
    "private names": try_private_names,
    "built-in model": try_model,
    "engine": try_engine,
    "adapter": try_adapter,
    "generation": try_generation,
    "packing": try_packing_here,
    "update": try_update,
    "NF4": try_nf4,
}


if __name__ == "__main__":
    main(*sys.argv[1:])
