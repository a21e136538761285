"""The countdown numbers game: reach a target with the given numbers."""

import random
from collections.abc import Iterator, Mapping
from typing import Any

from core.tasks.generator import Generator
from core.tasks.task import Example, Message

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


COUNTDOWN = Generator(generate, gold)
