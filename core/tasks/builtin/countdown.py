"""The countdown numbers game: reach a target with the given numbers."""

import random
from collections.abc import Iterator, Mapping
from typing import Any

from core.tasks.rewards.countdown import equation_reaches_target, equation_uses_numbers
from core.tasks.task import Example, Message, Reward, Task

EXAMPLE = "Example: with 2, 3 and 10, to make 16: <answer>2 * 3 + 10</answer>"


def generate(source: str, seed: int) -> Iterator[Example]:
    chance = random.Random(f"countdown {seed}")
    while True:
        numbers = [chance.randint(1, 20) for _ in range(3)]
        equation, target = str(numbers[0]), numbers[0]
        for number in numbers[1:]:
            sign = chance.choice("+-*" if abs(target) <= 20 else "+-")
            equation = f"({equation}) * {number}" if sign == "*" else f"{equation} {sign} {number}"
            target = target * number if sign == "*" else target + number if sign == "+" else target - number
        if not 1 <= target <= 200:
            continue
        shuffled = chance.sample(numbers, len(numbers))
        listed = f"{', '.join(map(str, shuffled[:-1]))} and {shuffled[-1]}"
        text = (
            "Use every number exactly once with + - * / and brackets to make the target. "
            f"Write only the equation between answer tags. {EXAMPLE}\nWith {listed}, make {target}."
        )
        fields = {"numbers": shuffled, "target": target, "solution": equation}
        yield Example((Message(role="user", content=text),), fields)


def gold(fields: Mapping[str, Any]) -> str:
    return f"<answer>{fields['solution']}</answer>"


COUNTDOWN = Task(
    name="countdown",
    title="Countdown numbers game",
    description="Combine three numbers with + - * / to reach a target. Needs search, so it rewards longer reasoning.",
    rewards=(
        Reward(
            "correctness", 0.8, "1 when the equation is valid and has the target as its value.", equation_reaches_target
        ),
        Reward("format", 0.2, "1 when the tagged equation uses every number exactly once.", equation_uses_numbers),
    ),
    generate=generate,
    gold=gold,
    values={"prompt_tokens": 160, "steps": 200},
    by_size={
        "small": {"completion_tokens": 48, "learning_rate": 2e-4},
        "medium": {"completion_tokens": 256, "learning_rate": 5e-5},
        "large": {"completion_tokens": 1024, "learning_rate": 2e-5},
    },
)
