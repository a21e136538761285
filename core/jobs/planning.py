"""The memory plan of a config: config and model geometry translated for the planner."""

from core import budget
from core.catalogue import load_catalogue
from core.config import RunConfig
from core.jobs.stack import stack_report
from core.models import locate, read_config
from core.settings import Settings
from core.units import GIB


def preview(settings: Settings, config: RunConfig) -> budget.Plan:
    """Where the memory of a run with this config will go. Raises InvalidInput for an unknown model or GPU."""
    catalogue = load_catalogue()
    source = locate(config.model, catalogue, settings.models)
    geometry = budget.geometry_from_config(read_config(source), config.model)
    return budget.plan(
        geometry, catalogue.gpu(config.gpu), setting_of(config, stack_report().engine != "transformers"), config.model
    )


def setting_of(config: RunConfig, engine_attached: bool = True) -> budget.Setting:
    """A config in the planner's words, with the choices that the worker makes by itself."""
    on_cpu = load_catalogue().gpu(config.gpu).kind == "cpu"
    return budget.Setting(
        rank=config.rank,
        target_modules=config.target_modules,
        quantization=config.quantization,
        optim="adamw_8bit" if config.optim == "adamw_8bit" else "adamw",
        gradient_checkpointing=config.gradient_checkpointing,
        head="chunked",
        packed=True,
        fast_inference=engine_attached and config.fast_inference != "off",
        adapter_sync="merged",
        gpu_memory_utilization=config.gpu_memory_utilization,
        kv_cache_bytes=config.kv_cache_gib * GIB if on_cpu else None,
        prompts_per_step=config.prompts_per_step,
        group_size=config.group_size,
        prompt_tokens=config.prompt_tokens,
        completion_tokens=config.completion_tokens,
        per_device_train_batch_size=config.per_device_train_batch_size,
    )
