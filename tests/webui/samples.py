"""Runs written through the store as a worker would write them."""

import json
import random
import time
from pathlib import Path
from typing import Any

from core.config import make_config
from core.models.tokens import LETTERS
from core.processes import identify
from core.records.evaluation import EvaluationPrompt, Reply
from core.records.rollout import Completion, Group, RewardScore
from core.records.run import Failure, LoadPhase, PlannedMemory, Run
from core.records.status import RunStatus
from core.records.step import Step
from core.store import Database
from core.store.rollouts.record import record_load_phase, record_step
from core.store.runs import lifecycle, queries

GROUPS, GROUP_SIZE, STEPS = 4, 8, 40
PLANNED = PlannedMemory(
    25 * 10**9, {"load": 1_050_000_000, "rollout": 4_300_000_000, "sync": 4_250_000_000, "update": 4_350_000_000}
)
HOSTILE = "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'> **bold** ${1 + 1} {{value}}"


def sampled(number: int, chance: random.Random, extra: str = "") -> Step:
    """One step of the addition task; rewards rise from about 0.2 to 1.0 over STEPS."""
    skill = min(1.0, 0.2 + 0.8 * number / (0.7 * STEPS))
    groups = tuple(_group(index, skill, chance, extra) for index in range(GROUPS))
    rewards = [completion.reward or 0.0 for group in groups for completion in group.completions]
    mean = sum(rewards) / len(rewards)
    return Step(
        number=number,
        metrics={
            "rewards/correctness/mean": mean,
            "rewards/format/mean": min(1.0, mean + 0.1),
            **_measured(number, skill),
        },
        seconds={"generate": 1.3, "sync": 0.12, "reward": 0.01, "update": 2.1},
        memory={"rollout": 4_200_000_000, "sync": 4_200_000_000, "update": 4_200_000_000 + number * 10**6},
        groups=groups,
        at=time.time() - (STEPS - number) * 3.5,
    )


def _measured(number: int, skill: float) -> dict[str, float]:
    """What a worker measures in a step besides the rewards; figures wander, so that charts have something to draw."""
    wander = random.Random(number).random()
    return {
        "loss": 0.02 * (wander - 0.5),
        "grad_norm": 0.3 + 0.4 * wander,
        "learning_rate": 3e-4 * (1 - number / STEPS),
        "reward_std": 0.5 - 0.4 * skill + 0.05 * wander,
        "frac_reward_zero_std": round(skill * 3 * wander) / 4,
        "completions/mean_length": 19 - 8 * skill + wander,
        "completions/min_length": 8.0,
        "completions/max_length": 20.0,
        "completions/clipped_ratio": 0.4 * (1 - skill),
        "entropy": 1.6 - 1.2 * skill,
        "mismatch/kl": 0.002 + 0.003 * wander,
    }


def _group(index: int, skill: float, chance: random.Random, extra: str) -> Group:
    left, right = chance.randint(1, 9), chance.randint(1, 9)
    prompt = (
        f"<|im_start|>user\nWhat is 2+5?<|im_end|>\n<|im_start|>assistant\n<answer>7</answer><|im_end|>\n"
        f"<|im_start|>user\nWhat is {left}+{right}?<|im_end|>\n<|im_start|>assistant\n"
    )
    completions = tuple(_completion(place, left + right, skill, chance, extra) for place in range(GROUP_SIZE))
    return Group(index, prompt, (1, 2, 3), {"answer": str(left + right)}, completions)


def _completion(index: int, total: int, skill: float, chance: random.Random, extra: str) -> Completion:
    right = chance.random() < skill
    text = (
        f"<answer>{total}</answer><|im_end|>" if right else f"I think it is {total - 1}. {extra}" + "And so on. " * 90
    )
    reward = 1.0 if right else 0.0
    scores = (RewardScore("correctness", reward), RewardScore("format", None, "ValueError: no tags"))
    return Completion(
        index=index,
        text=text,
        finish_reason="stop" if right else "length",
        reward=reward,
        advantage=reward - skill,
        scores=scores,
        length=len(text) // 4,
        token_ids=(1, 2),
        logprobs=(-0.1, -0.2),
    )


def spoken(number: int, text: str) -> Step:
    """A step of one group in which `text`, one token a byte, stands beside a calm answer; its tokens are measured."""
    chance = random.Random(number)
    ids = tuple(text.encode("utf-8", "backslashreplace")[:3000])
    logprobs = tuple(-chance.random() for _ in ids)
    trainer = tuple(value - 0.1 for value in logprobs)
    one = Completion(
        0, text, "stop", 1.0, 0.5, (RewardScore("correctness", None, text[:200]),), len(ids), ids, logprobs, trainer
    )
    other = Completion(1, "calm", "stop", 0.0, -0.5, (), 4, tuple(b"calm"), (-0.1,) * 4)
    return Step(
        number, {}, {}, {}, (Group(0, text[:2000] or "prompt", (1,), {text[:50] or "name": text[:50]}, (one, other)),)
    )


def answers(text: str, step: int, asked: str = "") -> list[EvaluationPrompt]:
    """Two fixed prompts, with `asked` in them, before training and after some step."""
    first, then = (
        Reply(number, said, "stop", 3, worth, (RewardScore("correctness", worth),))
        for number, said, worth in ((0, "It is eight.", 0.0), (step, text, 1.0))
    )
    return [
        EvaluationPrompt(place, f"What is {place}+3? {asked}", {"answer": text}, (first, then)) for place in range(2)
    ]


def add_tokenizer(home: Path) -> None:
    """The built-in model's tokenizer where a run looks for it: one token a byte."""
    model = home / "models" / "smollm2-135m"
    model.mkdir(parents=True)
    document = {"model": {"vocab": LETTERS}, "decoder": {"type": "ByteLevel"}, "added_tokens": []}
    (model / "tokenizer.json").write_text(json.dumps(document), encoding="utf-8")


def add_run(database: Database, name: str, upto: int, extra: str = "", **values: Any) -> Run:
    """A run with `upto` recorded steps whose worker is this very process, so that nobody buries it."""
    chance = random.Random(name)
    config = make_config({"model": "smollm2-135m", "recipe": "addition", "steps": STEPS, **values})
    with database.writing() as connection:
        run = lifecycle.enqueue(connection, config, name, plan=PLANNED)
        lifecycle.claim(connection, run.id, identify())
        for phase, seconds in (("base model", 2.1), ("adapter", 0.4), ("engine", 11.8)):
            record_load_phase(connection, run.id, LoadPhase(phase, seconds, 10**9))
        lifecycle.move(connection, run.id, RunStatus.RUNNING, who="worker")
        for number in range(1, upto + 1):
            record_step(connection, run.id, sampled(number, chance, extra))
        lifecycle.enter_phase(connection, run.id, "generate")
        return queries.get_run(connection, run.id)


def end_run(database: Database, run: Run, status: RunStatus, failure: Failure | None = None) -> None:
    with database.writing() as connection:
        lifecycle.move(connection, run.id, status, failure=failure, who="worker")
