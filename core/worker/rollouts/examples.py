"""The prompts a run trains on."""

import logging
from collections.abc import Sequence

from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from core.config import RunConfig
from core.errors import RunError
from core.tasks.task import Example, Task
from core.units import plural

log = logging.getLogger(__name__)
# More prompts than this are reused from the start.
MOST_PROMPTS = 20_000
# How many prompts in a row may be too long before the limit itself must be wrong.
MOST_SKIPPED = 1000


def choose_examples(recipe: Task, config: RunConfig, tokenizer: PreTrainedTokenizerBase) -> list[Example]:
    """The examples of every step, in order; prompts longer than prompt_tokens are left out and counted.

    Raises RunError when hardly any prompt fits.
    """
    wanted = min(config.steps * config.prompts_per_step, MOST_PROMPTS)
    wanted -= wanted % config.prompts_per_step
    chosen: list[Example] = []
    skipped = shortest = 0
    for example in recipe.generate(config.dataset, config.seed):
        length = len(prompt_token_ids(example, tokenizer))
        if length <= config.prompt_tokens:
            chosen.append(example)
        else:
            skipped += 1
            shortest = min(shortest or length, length)
        if len(chosen) == wanted:
            break
        if skipped > MOST_SKIPPED and skipped > len(chosen):
            raise RunError(
                "prompts-too-long",
                f"Hardly any prompt of {recipe.name} fits into prompt_tokens {config.prompt_tokens}.",
                f"The shortest of those left out has {shortest} tokens; raise prompt_tokens.",
            )
    if skipped:
        log.warning("%s longer than prompt_tokens %d left out.", plural(skipped, "prompt"), config.prompt_tokens)
    return chosen


def prompt_token_ids(example: Example, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    encoded = tokenizer.apply_chat_template(
        list(example.prompt), add_generation_prompt=True, tokenize=True, return_dict=True
    )
    return list(encoded["input_ids"])


def as_dataset(examples: Sequence[Example]) -> Dataset:
    """Rows (prompt, example): the fields stay in Python, since columns of one type would bend them."""
    return Dataset.from_dict(
        {"prompt": [list(example.prompt) for example in examples], "example": list(range(len(examples)))}
    )
