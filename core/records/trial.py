"""What a trial found: one step's completions of a model that has learned nothing yet, and what a run would take."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from core.records.rollout import Completion, Group, RewardScore

KEPT = {field.name for field in fields(Completion)} - {"logprobs", "trainer_logprobs", "entropies", "scores", "remark"}


@dataclass(frozen=True)
class Trial:
    """The first of two real steps, and the time of the second, which pays for nothing that is made once.

    groups       prompts with their completions, scores and advantages
    spread       share of groups whose rewards differ; only those teach anything
    reward       mean over the scored completions; None where none was scored
    unscored     completions without a reward
    load_seconds until the first step; step_seconds: of one step, by phase; steps: of the run
    engine       "vllm" or "transformers"; sandbox: the level that users' files ran under, or ""
    """

    groups: tuple[Group, ...]
    spread: float
    reward: float | None
    unscored: int
    load_seconds: float
    step_seconds: Mapping[str, float]
    steps: int
    engine: str
    sandbox: str = ""

    @property
    def run_seconds(self) -> float:
        """What the run would take from launch to end."""
        return self.load_seconds + self.steps * sum(self.step_seconds.values())

    def cost(self, price_per_hour: float) -> float:
        """What the run would cost at this price of the machine, in the price's currency."""
        return self.run_seconds / 3600 * price_per_hour


def trial_json(trial: Trial) -> dict[str, Any]:
    document = asdict(trial)
    for group in document["groups"]:
        for completion in group["completions"]:
            for name in ("logprobs", "trainer_logprobs", "entropies", "remark"):
                del completion[name]
    return {**document, "run_seconds": trial.run_seconds}


def trial_from(document: Mapping[str, Any]) -> Trial:
    values = {name: document[name] for name in Trial.__dataclass_fields__ if name != "groups"}
    return Trial(tuple(map(_group, document["groups"])), **values)


def _group(row: Mapping[str, Any]) -> Group:
    completions = tuple(map(_completion, row["completions"]))
    return Group(row["index"], row["prompt"], tuple(row["prompt_token_ids"]), row["fields"], completions, row["id"])


def _completion(row: Mapping[str, Any]) -> Completion:
    scores = tuple(RewardScore(**score) for score in row["scores"])
    values = {name: value for name, value in row.items() if name in KEPT}
    return Completion(**{**values, "scores": scores, "token_ids": tuple(row["token_ids"])})
