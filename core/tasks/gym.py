"""reasoning-gym's families of questions as endless examples that need no data: `use = "reasoning-gym:chain_sum"`."""

import itertools
import json
import random
import time
from collections.abc import Iterator, Mapping
from typing import Any

from core.errors import InvalidInput, NotFound
from core.tasks.generator import Generator
from core.tasks.rewards.gym import gym_module, gym_questions
from core.tasks.task import Example, Message

PREFIX = "reasoning-gym:"
CHUNK = 100_000  # questions of one seed
SHOWN_SEED = 20_251_126  # the answered examples are the same in every run
ASKED = "Write the final answer between <answer> and </answer>."
MOST_SHOTS = 8
MOST_FAILED = 50  # questions in a row that a family could not make

NOT_REPEATED = "which does not ask the same questions twice for the same seed, so that no run could be repeated"
HASHED = "whose questions depend on Python's hash seed, so that no run could be repeated"
NO_GOLD = "which has no right answers to show or to score against"
BY_SIZE = "which makes all of its questions at once, and others when it makes more"
IN_TUPLES = "which cannot score questions that have been written down as JSON"
# Family -> why it is refused. Tried with version 0.1.25: 12 to 400 questions of each, under different hash seeds.
REFUSED: Mapping[str, str] = {
    "acre": BY_SIZE,
    "arc_agi": IN_TUPLES,
    "boxnet": NO_GOLD,
    "codeio": NOT_REPEATED,
    "composite": "which is made of others",
    "game_of_life_halting": "which gives nonsense the full score",
    "graph_color": NO_GOLD,
    "intermediate_integration": HASHED,
    "isomorphic_strings": HASHED,
    "knight_swap": NOT_REPEATED,
    "list_functions": NOT_REPEATED,
    "polynomial_multiplication": HASHED,
    "propositional_logic": NO_GOLD,
    "ransom_note": HASHED,
    "rearc": IN_TUPLES,
    "rubiks_cube": NO_GOLD,
    "rush_hour": NO_GOLD,
    "word_ladder": HASHED,
}


def gym_generator(use: str, settings: Mapping[str, Any], shots: int = 1) -> Generator:
    """The examples that `use` names.

    settings  of the family, as reasoning-gym's config has them; `seed` and `size` are not among them
    shots     answered examples shown before each question
    Raises NotFound for a family that is none, InvalidInput for one that is refused, for settings that it does not take
    and where reasoning-gym is not installed.
    """
    family = use.removeprefix(PREFIX)
    _check(family, settings, shots)
    plain = json.dumps(dict(settings), sort_keys=True)
    shown = tuple(itertools.islice(_entries(family, plain, SHOWN_SEED), shots))
    asked_before = {entry["question"] for entry in shown}
    before = tuple(message for entry in shown for message in (_question(entry), _answer(entry)))

    def generate(source: str, seed: int) -> Iterator[Example]:
        if source:
            raise InvalidInput("dataset", source, f"but {use} makes its questions", "leave it empty")
        # Families add the number of a question to the seed: seeds side by side would ask the same ones.
        for entry in _entries(family, plain, random.Random(f"{use} {seed}").getrandbits(31)):
            if entry["question"] not in asked_before:
                yield Example((*before, _question(entry)), _fields(family, settings, entry))

    return Generator(generate, gold)


def families() -> list[str]:
    """Those that can be trained on. Raises InvalidInput where reasoning-gym is not installed."""
    return sorted({*gym_module().factory.DATASETS} - {*REFUSED})


def gold(fields: Mapping[str, Any]) -> str:
    return f"<answer>{fields['answer']}</answer>"


def distinct_prompts(examples: Iterator[Example], count: int = 20_000, seconds: float = 2.0) -> tuple[int, int]:
    """(distinct prompts, prompts looked at) of the first `count`, or of as many as can be made in that time.

    Easy settings leave few: chain_sum with two terms of one digit has 200 in 20,000.
    """
    found: set[str] = set()
    looked, end = 0, time.monotonic() + seconds
    for example in itertools.islice(examples, count):
        found.add(example.prompt[-1]["content"])
        looked += 1
        if time.monotonic() > end:
            break
    return len(found), looked


def _check(family: str, settings: Mapping[str, Any], shots: int) -> None:
    known = gym_module().factory.DATASETS
    if family in REFUSED:
        raise InvalidInput("data.use", PREFIX + family, REFUSED[family], "choose another family")
    if family not in known:
        raise NotFound("data.use", PREFIX + family, "which reasoning-gym does not have", _choose())
    if not 0 <= shots <= MOST_SHOTS:
        raise InvalidInput("shots", shots, "where few examples are shown", f"choose 0 to {MOST_SHOTS}")
    taken = {*known[family][1].__dataclass_fields__} - {"seed", "size"}
    for name in settings:
        if name not in taken:
            raise InvalidInput(
                "data.settings", name, f"which {family} does not take", f"use {', '.join(sorted(taken))}"
            )
    try:
        gym_questions(family, json.dumps(dict(settings), sort_keys=True))
    except Exception as error:  # families check their settings by assertions, or fail over them
        problem = f"which {family} refuses ({str(error)[:200] or type(error).__name__})"
        raise InvalidInput("data.settings", dict(settings), problem, "change them") from None


def _choose() -> str:
    return f"choose one of {', '.join(families())}"


def _entries(family: str, settings: str, seed: int) -> Iterator[dict[str, Any]]:
    """Questions with a right answer, as JSON holds them: {"question", "answer", "metadata"}.

    Some families give up on a question now and then, the same one each time: it is passed over. Raises InvalidInput
    where they do nothing else.
    """
    create, failed = gym_module().create_dataset, 0
    for chunk in itertools.count():
        questions = create(family, seed=(seed + chunk * CHUNK) % 2**31, size=CHUNK, **json.loads(settings))
        for index in range(CHUNK):
            try:
                entry = questions[index]
            except Exception as error:  # each family has its own
                failed += 1
                if failed >= MOST_FAILED:
                    raise _cannot(family, settings, error) from None
                continue
            failed = 0
            if str(entry["answer"]).strip():  # an empty answer would score for saying nothing
                yield json.loads(json.dumps(entry, default=str))


def _cannot(family: str, settings: str, error: Exception) -> InvalidInput:
    problem = f"with which {family} could not make a question {MOST_FAILED} times in a row ({str(error)[:200]})"
    return InvalidInput("data.settings", settings, problem, "choose easier ones")


def _fields(family: str, settings: Mapping[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    return {"answer": entry["answer"], "entry": dict(entry), "family": family, "settings": dict(settings)}


def _question(entry: Mapping[str, Any]) -> Message:
    return Message(role="user", content=f"{entry['question']}\n\n{ASKED}")


def _answer(entry: Mapping[str, Any]) -> Message:
    return Message(role="assistant", content=gold(entry))
