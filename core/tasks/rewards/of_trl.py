"""TRL's own reward functions, called as they are.

They are imported when they are asked for the first time, which takes 0.6 to 2 seconds and loads no torch.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from core.tasks.rewards.packages import imported
from core.tasks.rewards.reward import Expecting, LibraryReward

# By name, so that reading the library loads nothing of the training stack.
MODULE = "trl.rewards"
TRL = {MODULE: "train"}
VERIFYING = {**TRL, "math_verify": "train"}


class OfTrl(LibraryReward):
    """A function of TRL's. Those that count tokens are given words: a reward of the library knows no tokens."""

    source = "TRL 1.16, trl.rewards"
    packages = TRL

    def asked(self, text: str, **columns: Any) -> float | None:
        """What the function says of this one completion."""
        completions = [[{"role": "assistant", "content": text}]]
        tokens = [_numbered(text.split())]
        given = {name: [value] for name, value in columns.items()}
        value = self.function(imported(MODULE, "train"))(completions=completions, completion_ids=tokens, **given)[0]
        return None if value is None else float(value)

    def function(self, module: Any) -> Any:
        """The function with these options, of the module trl.rewards."""
        raise NotImplementedError

    def score(self, text: str, fields: Mapping[str, Any]) -> float | None:
        return self.asked(text)


class ThinkFormat(OfTrl):
    about = "1 when the reasoning stands between think tags, at the beginning."

    @property
    def looks_for(self) -> tuple[str, ...]:
        return ("<think>",)

    def function(self, module: Any) -> Any:
        return module.think_format_reward


class SoftOverlong(OfTrl):
    about = "0 up to a length, then falling to -1, counted in words."
    lowest, highest = -1.0, 0.0
    max_completion_len: int = Field(ge=1, description="Words above which the score is -1.")
    soft_punish_cache: int = Field(ge=1, description="Words below that at which the punishment begins.")

    def function(self, module: Any) -> Any:
        return module.get_soft_overlong_punishment(self.max_completion_len, self.soft_punish_cache)


class RepetitionPenalty(OfTrl):
    about = "The share of word n-grams that repeat others, as a penalty."
    lowest, highest = -1.0, 0.0
    ngram_size: int = Field(3, ge=1, le=100, description="Words of an n-gram.")
    max_penalty: float = Field(
        -1.0, ge=-1000.0, le=0.0, description="The score that nothing but repetition would have."
    )

    @property
    def span(self) -> tuple[float, float]:
        return self.max_penalty, 0.0

    def function(self, module: Any) -> Any:
        return module.get_repetition_penalty_reward(self.ngram_size, self.max_penalty)


class Verifying(OfTrl, Expecting):
    """Those that hold an answer against the row's by math-verify; None where the row's is no mathematics."""

    packages = VERIFYING

    def score(self, text: str, fields: Mapping[str, Any]) -> float | None:
        given = self.given(text)
        return self.asked(given or "", solution=self.wanted.fill(fields))


class Accuracy(Verifying):
    about = "1 when the LaTeX answer, as \\boxed{}, is the expected one."

    def function(self, module: Any) -> Any:
        return module.accuracy_reward


class ReasoningAccuracy(Verifying):
    about = "1 when the LaTeX answer after the reasoning is the expected one."
    reasoning_delimiters: tuple[str, ...] = Field(("</think>",), min_length=1, description="What ends the reasoning.")

    def function(self, module: Any) -> Any:
        delimiters = [*self.reasoning_delimiters]
        return lambda **given: module.reasoning_accuracy_reward(**given, reasoning_delimiters=delimiters)


class CosineScaled(Verifying):
    about = "Right or wrong, scaled by length in words: short right answers score best."
    lowest = -1.0
    max_len: int = Field(ge=1, description="Words at which the scale ends.")
    min_value_wrong: float = Field(-1.0, description="Score of a wrong answer without length.")
    max_value_wrong: float = Field(-0.5, description="Score of a wrong answer of the greatest length.")
    min_value_correct: float = Field(0.5, description="Score of a right answer of the greatest length.")
    max_value_correct: float = Field(1.0, description="Score of a right answer without length.")

    @property
    def span(self) -> tuple[float, float]:
        ends = (self.min_value_wrong, self.max_value_wrong, self.min_value_correct, self.max_value_correct)
        return min(ends), max(ends)

    def function(self, module: Any) -> Any:
        return module.get_cosine_scaled_reward(
            self.max_len, self.min_value_wrong, self.max_value_wrong, self.min_value_correct, self.max_value_correct
        )


def _numbered(words: list[str]) -> list[int]:
    """A number for each word, the same for the same one."""
    numbers = {word: number for number, word in enumerate(dict.fromkeys(words))}
    return [numbers[word] for word in words]
