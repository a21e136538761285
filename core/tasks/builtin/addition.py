"""Sums of two numbers, answered between tags: the task on which a small model learns within minutes."""

import random
from collections.abc import Iterator, Mapping
from typing import Any

from core.tasks.rewards.answers import answer_is, has_one_answer
from core.tasks.task import Example, Message, Reward, Task

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


ADDITION = Task(
    name="addition",
    title="Addition in answer tags",
    description="Add two numbers with a sum of up to ten, answer between tags. The quickest way to see learning.",
    rewards=(
        Reward("correctness", 0.8, "1 when the number between the tags is the sum.", answer_is),
        Reward("format", 0.2, "1 when there is exactly one pair of answer tags, at the end.", has_one_answer),
    ),
    generate=generate,
    gold=gold,
    values={"prompt_tokens": 96, "completion_tokens": 20, "steps": 40},
    by_size={
        "small": {"learning_rate": 3e-4, "lr_scheduler_type": "linear"},
        "medium": {"learning_rate": 1e-4},
        "large": {"learning_rate": 5e-5},
    },
    for_builtin={"prompt_tokens": 64},  # its prompts have 62; other models' templates add a system prompt of their own
)
