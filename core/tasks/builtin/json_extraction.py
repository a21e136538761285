"""Reading facts out of a sentence into JSON."""

import json
import random
from collections.abc import Iterator, Mapping
from typing import Any

from core.tasks.generator import Generator
from core.tasks.task import Example, Message

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


JSON_EXTRACTION = Generator(generate, gold)
