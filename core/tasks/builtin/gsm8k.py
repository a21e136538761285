"""Grade-school word problems (Cobbe et al., 2021, arXiv 2110.14168), from the Hub or a copy on this disk."""

import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from core.errors import InvalidInput
from core.tasks.generator import Generator
from core.tasks.task import Example, Message

HUB_ID = "openai/gsm8k"
FORMATS = {".jsonl": "json", ".json": "json", ".parquet": "parquet", ".csv": "csv"}
INSTRUCTION = (
    "Think step by step, then write the final number between answer tags.\n"
    "Example: Tom has 3 bags of 4 apples and eats 2. How many are left? "
    "3 bags of 4 are 12 apples, and 12 - 2 = 10. <answer>10</answer>"
)


def generate(source: str, seed: int) -> Iterator[Example]:
    """Problems in an order that depends on the seed, over and over.

    source  a file or folder with columns `question` and `answer`; empty: the dataset on the Hub
    """
    problems = load_problems(source)
    chance = random.Random(f"gsm8k {seed}")
    while True:
        for index in chance.sample(range(len(problems)), len(problems)):
            question, worked = problems[index]
            text = f"{INSTRUCTION}\n{question}"
            yield Example((Message(role="user", content=text),), {"answer": final_number(worked), "question": question})


def load_problems(source: str) -> list[tuple[str, str]]:
    """(question, worked answer) pairs. Raises InvalidInput when the data cannot be read."""
    from datasets import load_dataset  # a heavy import that only a worker needs

    try:
        if not source:
            rows = load_dataset(HUB_ID, "main", split="train")
        else:
            files = _files(Path(source).expanduser())
            rows = load_dataset(FORMATS[files[0].suffix], data_files=[str(file) for file in files], split="train")
        return [(row["question"], row["answer"]) for row in rows]
    except InvalidInput:
        raise
    except Exception as error:  # the library raises many kinds; all mean that there is no data to train on
        raise InvalidInput(
            "dataset",
            source or HUB_ID,
            f"which could not be read ({type(error).__name__})",
            "set dataset to a local .jsonl or .parquet file with columns question and answer",
        ) from error


def final_number(worked: str) -> str:
    """The number after the last "####" of a worked answer."""
    return worked.rsplit("####", 1)[-1].strip().replace(",", "")


def gold(fields: Mapping[str, Any]) -> str:
    return f"<answer>{fields['answer']}</answer>"


def _files(source: Path) -> list[Path]:
    found = [source] if source.is_file() else sorted(source.rglob("*")) if source.is_dir() else []
    usable = [file for file in found if file.suffix in FORMATS and "test" not in file.stem]
    if not usable:
        raise InvalidInput(
            "dataset", str(source), "where no data was found", f"name a folder or file with {', '.join(FORMATS)}"
        )
    return [file for file in usable if file.suffix == usable[0].suffix]


GSM8K = Generator(generate, gold, needs_dataset=True)
