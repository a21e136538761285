"""Reading facts out of a sentence into JSON."""

import json
import random
from collections.abc import Iterator, Mapping
from typing import Any

from core.tasks.rewards.json_fields import fields_match, is_one_json_object
from core.tasks.task import Example, Message, Reward, Task

NAMES = (
    "Ana",
    "Bilal",
    "Chen",
    "Dora",
    "Emeka",
    "Farah",
    "Goran",
    "Hana",
    "Ivo",
    "Jun",
    "Kofi",
    "Lena",
    "Mara",
    "Nils",
)
CITIES = ("Accra", "Bergen", "Cusco", "Delhi", "Essen", "Faro", "Gdansk", "Hanoi", "Izmir", "Jena", "Kyoto", "Lyon")
SENTENCES = (
    "{name} is {age} years old and lives in {city}.",
    "{name}, aged {age}, comes from {city}.",
    "At {age}, {name} moved to {city}.",
    "The office in {city} hired {name}, who is {age}.",
)


def generate(source: str, seed: int) -> Iterator[Example]:
    chance = random.Random(f"json-extraction {seed}")
    while True:
        answer = {"name": chance.choice(NAMES), "age": chance.randint(18, 80), "city": chance.choice(CITIES)}
        sentence = chance.choice(SENTENCES).format(**answer)
        text = (
            "Write the name, age and city as JSON and nothing else.\n"
            'Text: Omar, aged 31, comes from Quito.\n{"name": "Omar", "age": 31, "city": "Quito"}\n'
            f"Text: {sentence}"
        )
        yield Example((Message(role="user", content=text),), {"answer": answer, "text": sentence})


def gold(fields: Mapping[str, Any]) -> str:
    return json.dumps(fields["answer"])


JSON_EXTRACTION = Task(
    name="json-extraction",
    title="Facts to JSON",
    description="Read a name, an age and a city out of a sentence and answer with one JSON object.",
    rewards=(
        Reward("correctness", 0.7, "The share of the three fields with the right value.", fields_match),
        Reward("format", 0.3, "1 when the answer is one JSON object with the wanted keys.", is_one_json_object),
    ),
    generate=generate,
    gold=gold,
    values={"prompt_tokens": 160, "completion_tokens": 48, "steps": 60},
    by_size={
        "small": {"learning_rate": 2e-4},
        "medium": {"learning_rate": 1e-4},
        "large": {"learning_rate": 5e-5},
    },
)
