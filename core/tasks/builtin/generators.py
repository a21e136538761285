"""The functions that make examples, by the name that a task file's `data.use` has for them."""

from collections.abc import Mapping

from core.tasks.builtin.addition import ADDITION
from core.tasks.builtin.countdown import COUNTDOWN
from core.tasks.builtin.gsm8k import GSM8K
from core.tasks.builtin.json_extraction import JSON_EXTRACTION
from core.tasks.generator import Generator

GENERATORS: Mapping[str, Generator] = {
    "addition": ADDITION,
    "countdown": COUNTDOWN,
    "json-extraction": JSON_EXTRACTION,
    "gsm8k": GSM8K,
}
