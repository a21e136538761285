"""Everything that can be known to go wrong before anything is loaded, each as one sentence."""

import shutil

from core.config import RunConfig
from core.errors import InvalidInput
from core.installation import detected_gpu, stack_report, vllm_problem
from core.jobs.queue import devices, usable
from core.models.locate import context_length, fetch_hub_file
from core.planning.resolved_run import ResolvedRun
from core.settings import Settings
from core.tasks.own.approvals import check_approved, may_run_unprotected
from core.tasks.registry import check_task_data
from core.tasks.rewards.library import check_installed
from core.tasks.sandbox.probe import best_level
from core.tasks.scoring import runs_foreign_code
from core.tasks.task import LibraryCode, OutsideCode, Task
from core.units import GIB, gib

# Room for a converted built-in model, logs and the database beside the checkpoints.
DISK_RESERVE = GIB // 2


def check_run(settings: Settings, run: ResolvedRun) -> None:
    """Raises InvalidInput for the first thing that would make this run fail here."""
    config = run.config
    run.task.weights(config.reward_weights)
    check_packages(run.task)
    check_task_data(config.recipe, settings.tasks)
    _check_own_code(settings, run)
    if run.model.kind == "hub":
        fetch_hub_file(run.model.hub_id, "config.json")  # says now what the worker would find out minutes later
    _check_lengths(config, run.model_config)
    _check_stack(config)
    if run.gpu.kind != "cpu" and detected_gpu().kind == "cpu":
        raise InvalidInput("gpu", config.gpu, "which this machine does not have", "choose cpu, or run on that machine")
    present = devices(settings)
    if not usable(config, present):
        remedy = f"choose auto or one of {', '.join(present)}"
        raise InvalidInput("device", config.device, "which this machine does not have", remedy)
    _check_disk(settings, config, run.model_config)


def check_packages(task: Task) -> None:
    """Raises InvalidInput where a reward of the task would miss a package when it scores."""
    for reward in task.rewards:
        if isinstance(reward.code, LibraryCode | OutsideCode):
            check_installed(reward.code.document)


def _check_own_code(settings: Settings, run: ResolvedRun) -> None:
    """A user's file runs only as its owner has read it, and foreign code protected unless they agreed to less."""
    check_approved(run.task.rewards, settings.tasks)
    if any(map(runs_foreign_code, run.task.rewards)):
        best_level(may_run_unprotected(run.task.rewards, settings.tasks))


def _check_lengths(config: RunConfig, model_config: dict[str, object]) -> None:
    context = context_length(model_config)
    needed = config.prompt_tokens + config.completion_tokens
    if context is not None and needed > context:
        raise InvalidInput(
            "completion_tokens",
            config.completion_tokens,
            f"which with prompts of {config.prompt_tokens} is longer than the model's context of {context} tokens",
            f"choose {max(1, context - config.prompt_tokens)} or less"
            if config.prompt_tokens < context
            else f"lower prompt_tokens below {context}",
        )


def _check_stack(config: RunConfig) -> None:
    stack = stack_report()
    if not stack.can_train:
        raise InvalidInput("recipe", config.recipe, "which cannot be trained here", stack.sentence)
    problem = vllm_problem(stack.versions)
    if config.fast_inference == "on" and problem:
        raise InvalidInput("fast_inference", "on", f"which needs the vLLM engine, but {problem}", "or set it to auto")
    if config.quantization == "nf4" and "bitsandbytes" not in stack.versions:
        raise InvalidInput("quantization", "nf4", "which needs bitsandbytes", "run `make setup`, or choose none")


def _check_disk(settings: Settings, config: RunConfig, model_config: dict[str, object]) -> None:
    text = model_config.get("text_config", model_config)
    assert isinstance(text, dict)
    # A generous bound: every layer's seven projections at twice the MLP width, adapter, gradient-free, with AdamW.
    widest = max(int(text.get("hidden_size", 0)), int(text.get("intermediate_size", 0)))
    adapter = config.rank * int(text.get("num_hidden_layers", 0)) * 14 * widest * 4
    needed = DISK_RESERVE + adapter * 3 * (config.save_total_limit + 2)
    folder = next(path for path in (settings.home, *settings.home.parents) if path.exists())
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise InvalidInput(
            "GROUPER_HOME",
            str(settings.home),
            f"whose disk has {gib(free)} free of the {gib(needed)} this run may write",
            "free some space, set GROUPER_HOME to another disk, or lower save_total_limit or rank",
        )
