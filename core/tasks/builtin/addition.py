"""Sums of two numbers, answered between tags: the task on which a small model learns within minutes."""

import random
from collections.abc import Iterator, Mapping
from typing import Any

from core.tasks.generator import Generator
from core.tasks.task import Example, Message

LARGEST_SUM = 10
# One answered question shows the form; a model this small does not follow a description of it.
SHOWN = (
    Message(role="user", content="What is 2+2?"),
    Message(role="assistant", content="<answer>4</answer>"),
)


def generate(source: str, seed: int) -> Iterator[Example]:
    numbers = random.Random(f"addition {seed}")
    while True:
        a = numbers.randint(1, LARGEST_SUM - 1)
        b = numbers.randint(1, LARGEST_SUM - a)
        question = Message(role="user", content=f"What is {a}+{b}?")
        yield Example((*SHOWN, question), {"answer": a + b, "question": f"{a}+{b}"})


def gold(fields: Mapping[str, Any]) -> str:
    return f"<answer>{fields['answer']}</answer>"


ADDITION = Generator(generate, gold)
